/** A backup on standard output, on a machine that has nothing but the store. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { type BackupWorld, backUp, backupWorld, MIB, SCOPE } from '../backups/backup-world.ts';
import { packsThere } from '../backups/plain-reader.ts';
import { cannotMount } from '../drivers/file/file-systems.ts';
import { MAIN } from './pumice-process.ts';

const key = randomBytes(32);

async function run(world: BackupWorld, ...args: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, 'backup-store', 'cat', ...args], {
    cwd: world.path,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err, code] = await Promise.all([buffer(child.stdout), text(child.stderr), ended]);
  return { out, err, code };
}

/** A backup of 4 MiB, cat into `path`; `limit` as `ulimit -f` takes it. */
async function catInto(world: BackupWorld, path: string, limit = 'unlimited') {
  const bytes = randomBytes(4 * MIB);
  await backUp(world, 'a', { file: await world.file('v', 4 * MIB, [[0, bytes]]), bytes: 4 * MIB });
  const manifest = join(world.storePath, 'scopes', SCOPE, 'manifests', 'a');
  const target = openSync(path, 'w');
  const cat = [process.execPath, MAIN, 'backup-store', 'cat', manifest];
  const child = spawn('sh', ['-c', 'ulimit -f "$1"; shift; exec "$@"', 'sh', limit, ...cat], {
    stdio: ['ignore', target, 'pipe'],
  });
  closeSync(target);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [err, code] = await Promise.all([text(child.stderr as Readable), ended]);
  return { bytes, err, code };
}

describe('pumice backup-store cat', () => {
  test('fails in a line where there is no room, also for the last bytes alone', async () => {
    const world = await backupWorld();
    try {
      const nowhere = await catInto(world, '/dev/full');
      assert.deepEqual(
        [nowhere.code, nowhere.err],
        [1, 'pumice: What was to be printed could not be written: ENOSPC: no space left on device, write\n'],
      );
      const path = join(world.path, 'disk');
      const { code, err } = await catInto(world, path, '8191');
      assert.equal(statSync(path).size, 4 * MIB - 512);
      assert.deepEqual(
        [code, err],
        [1, 'pumice: What was to be printed could not be written: EFBIG: file too large, write\n'],
      );
    } finally {
      await world.remove();
    }
  });

  test('writes all of it to a disk', { skip: cannotMount('ext4') ?? false }, async () => {
    const world = await backupWorld();
    const image = await world.file('image', 4 * MIB, []);
    const disk = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
    try {
      const { code, err, bytes } = await catInto(world, disk);
      assert.deepEqual([code, err], [0, '']);
      assert.ok(bytes.equals(readFileSync(disk)));
    } finally {
      execFileSync('losetup', ['--detach', disk]);
      await world.remove();
    }
  });

  test('writes the bytes of a backup that a real Cinder has made', async () => {
    const world = await backupWorld();
    try {
      const { zlib } = JSON.parse(readFileSync(join(import.meta.dirname, '../backups/cinder/chain.json'), 'utf8'));
      for (const [name, text] of Object.entries<string>(zlib.files)) {
        await mkdir(join(world.path, dirname(name)), { recursive: true });
        await writeFile(join(world.path, name), Buffer.from(text, 'base64'));
      }
      const { container, prefix, sha256 } = zlib.backups[2];
      const { code, out, err } = await run(world, join(container, `${prefix}_metadata`));
      assert.deepEqual([code, err, createHash('sha256').update(out).digest('hex')], [0, '', sha256]);
    } finally {
      await world.remove();
    }
  });

  test('writes the bytes of a backup, with its key, and fails in a line', async () => {
    const world = await backupWorld(2 * MIB, [{ id: 'k', hex: key.toString('hex') }]);
    try {
      const file = await world.file('v', 4 * MIB, [[MIB + 5, randomBytes(MIB)]]);
      await backUp(world, 'a', { file, bytes: 4 * MIB });
      const manifest = join(world.storePath, 'scopes', SCOPE, 'manifests', 'a');
      await writeFile(join(world.path, 'key'), key, { mode: 0o600 });
      const good = await run(world, manifest, '--key', `k=${join(world.path, 'key')}`);
      assert.equal(good.code, 0, good.err);
      assert.ok(good.out.equals(await readFile(file)));

      const config = join(world.path, 'pumice.toml');
      await writeFile(config, `[backup_keys]\nk = "key"\nlost = "lost"\n`);
      assert.ok((await run(world, manifest, '--config', config)).out.equals(good.out));

      const without = await run(world, manifest);
      assert.deepEqual([without.code, without.out.length], [1, 0]);
      assert.match(without.err, /^pumice: The backups of scope scope are encrypted with key k, which .*\n$/);
      const elsewhere = await run(world, file);
      assert.deepEqual([elsewhere.code, elsewhere.out.length], [2, 0]);
      const none = `pumice: ${file} is no manifest of a store: scopes/SCOPE/manifests/BACKUP.`;
      assert.ok(elsewhere.err.startsWith(none), elsewhere.err);
      await rm(join(world.storePath, 'scopes', SCOPE, 'packs', packsThere(world.storePath, SCOPE)[0] ?? ''));
      const damaged = await run(world, manifest, '--key', 'k=key');
      assert.equal(damaged.code, 1);
      assert.match(damaged.err, /^pumice: The chunk at 1 MiB is damaged in pack a\/1-0\. .*\n$/);
    } finally {
      await world.remove();
    }
  });
});
