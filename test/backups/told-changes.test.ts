/**
 * Increments of a volume that changes at random, where a file system tells what has changed: by what it tells or by digests, with a base or
 * without, each backup is the volume to the last byte, and so are those before it.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { differences } from '../../src/drivers/file/differences.ts';
import { exec } from '../../src/lib/exec.ts';
import { changeAtRandom, numbers } from '../drivers/file/changes.ts';
import { cannotMount, mountFileSystem } from '../drivers/file/file-systems.ts';
import { backUp, backupWorld, MIB, NEVER, SCOPE } from './backup-world.ts';
import { readPlainly } from './plain-reader.ts';

const BYTES = 16 * MIB;
const ROUNDS = 10;

describe('backups of what a file system tells to have changed', { skip: cannotMount('xfs') ?? false }, () => {
  test('are the volume, byte by byte', async (t) => {
    const mounted = mountFileSystem('xfs', 400);
    const world = await backupWorld();
    t.after(() => mounted.remove());
    t.after(() => world.remove());
    const at = (name: string): string => join(mounted.path, name);
    const number = numbers(23);
    await writeFile(at('disk'), Buffer.alloc(BYTES, 'what a guest has written'));
    const keep = (id: number) => execFileSync('cp', ['--reflink=always', at('disk'), at(`kept-${id}`)]);
    keep(0);
    await backUp(world, 'b0', { file: at('kept-0'), bytes: BYTES });
    const ways = new Map<string, number>();
    for (let round = 1; round <= ROUNDS; round += 1) {
      for (let changes = number(6); changes >= 0; changes -= 1) await changeAtRandom(at('disk'), BYTES, number);
      keep(round);
      const [file, before] = [at(`kept-${round}`), at(`kept-${round - 1}`)];
      const told = await differences(exec, before, file, NEVER);
      const [changed, base] = [number(3) > 0 ? told : null, number(3) > 0 ? before : null];
      const wanted = { file, bytes: BYTES, parentId: `b${round - 1}`, changed, base };
      const { outcome } = await backUp(world, `b${round}`, wanted);
      assert.ok(!outcome.distrusted, `round ${round}`);
      const { bytes, chunks } = readPlainly(world.storePath, SCOPE, `b${round}`);
      assert.ok(bytes.equals(await readFile(file)), `round ${round}`);
      const way = `${outcome.way}${chunks.paged > 0 ? ' with pages' : ''}`;
      ways.set(way, (ways.get(way) ?? 0) + 1);
    }
    for (const way of ['map with pages', 'digests with pages']) assert.ok(ways.has(way), `${[...ways.keys()]}`);
    for (let round = 0; round <= ROUNDS; round += 1)
      assert.ok(readPlainly(world.storePath, SCOPE, `b${round}`).bytes.equals(await readFile(at(`kept-${round}`))));
  });
});
