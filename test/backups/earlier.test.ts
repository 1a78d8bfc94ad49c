/** A backup that is begun again after it failed: what it had stored counts where the volume is the same, and is not believed elsewhere. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Bite } from '../../src/backups/backups.ts';
import { deletePacks } from '../../src/backups/remove.ts';
import { attemptCopy, type BackupWorld, backUp, backupWorld, finish, MIB, NEVER, SCOPE } from './backup-world.ts';
import { Died, dyingStore } from './dying-store.ts';
import { readPlainly } from './plain-reader.ts';

const BYTES = 10 * MIB;

/** A volume of noise, and what a try has stored of its first 7 MiB: one pack of 4, and one of 3. */
async function afterFailure(body: (world: BackupWorld, noise: Buffer, earlier: readonly Bite[]) => Promise<void>) {
  const world = await backupWorld(4 * MIB + 4096);
  try {
    const noise = randomBytes(BYTES);
    const file = await world.file('v', BYTES, [[0, noise]]);
    const earlier: Bite[] = [];
    const store = dyingStore(world.store, { after: 2, isMade: false });
    await assert.rejects(attemptCopy(world, 'a', { file, bytes: BYTES }, earlier, store), Died);
    assert.ok(earlier.length === 2, 'it had come so far');
    await body(world, noise, earlier);
  } finally {
    await world.remove();
  }
}

async function retried(world: BackupWorld, content: Buffer, earlier: readonly Bite[], attempt = 2) {
  const file = await world.file(`v${attempt}`, BYTES, [[0, content]]);
  const bites: Bite[] = [];
  const wanted = { file, bytes: BYTES, earlier, attempt };
  const outcome = await attemptCopy(world, 'a', wanted, bites);
  const manifest = await finish(world, 'a', wanted, bites);
  assert.ok(readPlainly(world.storePath, SCOPE, 'a').bytes.equals(content), 'it holds what the volume does');
  return { outcome, packs: manifest.packs.map(({ name }) => name), bites };
}

const chunksOf = (bites: readonly Bite[]): number => bites.reduce((sum, { chunks }) => sum + chunks, 0);

describe('a backup that is begun again', () => {
  test('stores only what is not there', () =>
    afterFailure(async (world, noise, earlier) => {
      const { outcome, packs } = await retried(world, noise, earlier);
      const left = 10 - chunksOf(earlier);
      assert.equal(outcome.readBytes, BYTES, 'all is read');
      assert.ok(outcome.storedBytes < (left + 0.1) * MIB, `${outcome.storedBytes} stored`);
      for (const { pack } of earlier) assert.ok(packs.includes(pack));
    }));

  test('stores again what the volume holds otherwise by now', () =>
    afterFailure(async (world, noise, earlier) => {
      const later = Buffer.from(noise);
      randomBytes(3 * MIB).copy(later, MIB / 2);
      const left = 10 - chunksOf(earlier);
      const { outcome } = await retried(world, later, earlier);
      assert.ok(outcome.storedBytes > (left + 3.9) * MIB && outcome.storedBytes < (left + 4.1) * MIB);
    }));

  test('counts nothing in packs that are gone, or have lost their end', () =>
    afterFailure(async (world, noise, earlier) => {
      const [one, two] = earlier.map(({ pack }) => pack) as [string, string];
      await deletePacks({ name: SCOPE, store: world.store }, [one], NEVER);
      const path = join(world.storePath, 'scopes', SCOPE, 'packs', two);
      await truncate(path, (await readFile(path)).length - 1);
      const { packs } = await retried(world, noise, earlier);
      assert.ok(!packs.includes(one) && !packs.includes(two));
    }));

  test('takes over from itself, and goes on where it stood', () =>
    afterFailure(async (world, noise, earlier) => {
      const file = await world.file('w', BYTES, [[0, noise]]);
      const bites: Bite[] = [];
      const wanted = { file, bytes: BYTES, earlier };
      const store = dyingStore(world.store, { after: 0, isMade: true });
      await assert.rejects(attemptCopy(world, 'a', { ...wanted, attempt: 2 }, bites, store), Died);
      await attemptCopy(world, 'a', { ...wanted, attempt: 3 }, bites);
      await finish(world, 'a', wanted, bites);
      assert.ok(readPlainly(world.storePath, SCOPE, 'a').bytes.equals(noise));
    }));

  test('may fail and be begun again more than once', () =>
    afterFailure(async (world, noise, earlier) => {
      const { bites } = await retried(world, noise, earlier);
      const { outcome } = await retried(world, noise, [...earlier, ...bites], 3);
      assert.ok(outcome.storedBytes < 0.1 * MIB, 'all was there');
    }));

  test('lays pages over nothing that its parent does not need', () =>
    afterFailure(async (world, noise) => {
      const file = await world.file('p', BYTES, [[0, noise]]);
      await backUp(world, 'p', { file, bytes: BYTES });
      await backUp(world, 'q', { file: await world.file('q', BYTES, []), bytes: BYTES });
      const later = Buffer.from(noise);
      later.fill(1, 5, 9);
      const changed = [{ at: 0, bytes: MIB }];
      const earlier: Bite[] = [];
      const wanted = { file: await world.file('l', BYTES, [[0, later]]), bytes: BYTES };
      await attemptCopy(world, 'c', { ...wanted, parentId: 'p', changed, base: file }, earlier);
      assert.ok((earlier[0]?.bytes ?? MIB) < MIB / 2, 'a page was stored');
      const bites: Bite[] = [];
      const again = { ...wanted, parentId: 'q', earlier, attempt: 2 };
      await attemptCopy(world, 'c', again, bites);
      const { packs } = await finish(world, 'c', again, bites);
      assert.ok(!packs.some(({ name }) => name.startsWith('p/')));
      assert.ok(readPlainly(world.storePath, SCOPE, 'c').bytes.equals(later));
    }));
});
