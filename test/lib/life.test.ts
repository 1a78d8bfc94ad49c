import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { uuid } from '../../src/lib/clock.ts';
import { LifeRecord, markTold, untoldDeaths } from '../../src/lib/life.ts';
import { cannotMount, type Kind, mountFileSystem } from '../drivers/file/file-systems.ts';

async function withRecord(body: (path: string) => Promise<void> | void): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-life-'));
  try {
    await body(join(directory, 'lives.json'));
  } finally {
    await rm(directory, { recursive: true });
  }
}

const begin = (path: string, process = uuid()): LifeRecord => new LifeRecord(path, { process, pid: 1 });

function die(path: string, message = 'oh'): void {
  const life = begin(path);
  life.died(new RangeError(message), { flows: 2, requests: 1 });
}

describe('the record of lives', () => {
  test('says of the life before how it ended: by an error, in order, or without a word', () =>
    withRecord((path) => {
      assert.equal(begin(path, 'killed').before, undefined);
      const after = begin(path, 'orderly');
      assert.partialDeepStrictEqual(after.before, { process: 'killed' });
      assert.equal(after.before?.ended_at, undefined);
      after.ended();
      assert.equal(typeof begin(path).before?.ended_at, 'string');
      die(path);
      assert.partialDeepStrictEqual(begin(path).before?.error, {
        type: 'RangeError',
        message: 'oh',
        flows: 2,
        requests: 1,
      });
    }));

  test('keeps those that ended by an error until they were told, and then no longer than others', () =>
    withRecord((path) => {
      assert.deepEqual(untoldDeaths(path), []);
      die(path, 'first');
      begin(path).ended();
      die(path, 'second');
      const deaths = untoldDeaths(path);
      assert.deepEqual(
        deaths.map(({ error }) => error?.message),
        ['first', 'second'],
      );
      markTold(path, new Set([deaths[0]?.process ?? '']));
      assert.deepEqual(
        untoldDeaths(path).map(({ error }) => error?.message),
        ['second'],
      );
    }));

  test('has one size, however much there is to say', () =>
    withRecord(async (path) => {
      begin(path).ended();
      const { size } = await stat(path);
      for (let n = 0; n < 12; n += 1) die(path, '\u0000'.repeat(10_000));
      assert.equal((await stat(path)).size, size);
      assert.ok(untoldDeaths(path).length >= 2);
    }));

  test('takes what cannot be read for nothing, and goes on', () =>
    withRecord(async (path) => {
      for (const text of ['', '{', '[]', 'null', '{"lives":[null]}', '{"lives":7}']) {
        await writeFile(path, text);
        assert.deepEqual(untoldDeaths(path), []);
        assert.equal(begin(path).before, undefined);
      }
    }));

  for (const kind of ['ext4', 'xfs', 'btrfs'] satisfies Kind[]) {
    test(`is written on a full ${kind}, too`, { skip: cannotMount(kind) ?? false }, async () => {
      const disk = mountFileSystem(kind, 330);
      try {
        const path = join(disk.path, 'lives.json');
        const life = begin(path);
        await assert.rejects(
          async () => {
            for (let n = 0; ; n += 1) await writeFile(join(disk.path, `filler-${n}`), Buffer.alloc(4 * 1024 ** 2));
          },
          { code: 'ENOSPC' },
        );
        life.died(new Error('no room'), { flows: 0, requests: 0 });
        assert.equal(untoldDeaths(path)[0]?.error?.message, 'no room');
      } finally {
        disk.remove();
      }
    });
  }
});
