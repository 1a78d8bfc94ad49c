/** Backups that Cinder 21.3.1's own posix driver has made (`cinder/make-chain.py`), read as they were meant. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { contentOfCinder } from '../../src/backups/cinder/cinder-content.ts';
import type { CinderObject } from '../../src/backups/cinder/cinder-metadata.ts';
import { cinderStoreAt } from '../../src/backups/cinder/cinder-store.ts';
import { laidOver } from '../../src/backups/cinder/layers.ts';
import { scratchDirectory } from '../scratch.ts';

const NEVER = new AbortController().signal;
const KIB = 1024;

interface Made {
  readonly id: string;
  readonly container: string;
  readonly prefix: string;
  readonly sha256: string;
}
type Chain = readonly [Made, Made, Made];
type Algorithm = 'zlib' | 'zstd';

const made: Readonly<Record<Algorithm, { readonly backups: Chain; readonly files: Readonly<Record<string, string>> }>> =
  JSON.parse(readFileSync(join(import.meta.dirname, 'cinder', 'chain.json'), 'utf8'));

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** How a backup is called where it is kept; as the posix driver does it, when nothing is said. */
interface Called {
  readonly container?: (made: Made) => string;
  readonly prefix?: (made: Made) => string;
}

/** A store with a chain in it. */
async function given(context: TestContext, algorithm: Algorithm = 'zlib', called: Called = {}) {
  const { container = (of) => `${of.container}/`, prefix = (of) => of.prefix } = called;
  const path = mkdtempSync(join(scratchDirectory(), `pumice-cinder-${process.pid}-`));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  const { backups, files } = made[algorithm];
  for (const backup of backups)
    for (const [name, text] of Object.entries(files)) {
      const before = `${backup.container}/${backup.prefix}`;
      if (!name.startsWith(before)) continue;
      const file = join(path, `${container(backup)}${prefix(backup)}${name.slice(before.length)}`);
      const bytes = Buffer.from(text, 'base64');
      await mkdir(dirname(file), { recursive: true });
      await writeFile(
        file,
        name.endsWith('_metadata') ? bytes.toString().replaceAll(backup.prefix, prefix(backup)) : bytes,
      );
    }
  const store = await cinderStoreAt({ kind: 'directory', path });
  const [full, second, third] = backups;
  return {
    path,
    full,
    second,
    third,
    metadataOf: (of: Made): string => `${container(of)}${prefix(of)}_metadata`,
    read: async (name: string): Promise<Buffer> => {
      const content = await contentOfCinder(store, name, NEVER);
      const bytes = await buffer(content.read(NEVER));
      assert.equal(bytes.length, content.bytes);
      return bytes;
    },
  };
}

const refuses = (reading: Promise<Buffer>, name: string, message: RegExp): Promise<void> =>
  assert.rejects(reading, { name, message });

describe('backups of a real Cinder', () => {
  for (const algorithm of ['zlib', 'zstd'] as const) {
    test(`are what the volume was, each of a chain, compressed with ${algorithm} where that made it smaller`, async (context) => {
      const { read, full, second, third, metadataOf } = await given(context, algorithm);
      for (const backup of [full, second, third]) assert.equal(sha256(await read(metadataOf(backup))), backup.sha256);
    });
  }

  test('hold the zeroes of an increment, which Cinder from 23.0.0 on forgets in a new volume', async (context) => {
    const { read, full, second, third, metadataOf } = await given(context);
    const zeroed = [12 * KIB, 16 * KIB] as const;
    const isZero = async (of: Made): Promise<boolean> =>
      (await read(metadataOf(of))).subarray(...zeroed).every((byte) => byte === 0);
    assert.deepEqual([await isZero(full), await isZero(second), await isZero(third)], [false, true, true]);
  });

  test('are found where S3 and Swift have them, and in a container of somebody’s own', async (context) => {
    const bucket: Called = {
      container: () => '',
      prefix: ({ id, prefix }) => `${prefix.slice(0, 43)}/20261130120000/az_nova_backup_${id}`,
    };
    for (const called of [bucket, { container: () => 'box/' }]) {
      const { read, third, metadataOf } = await given(context, 'zlib', called);
      assert.equal(sha256(await read(metadataOf(third))), third.sha256);
    }
  });

  test('are refused when an object is not what it was, however that shows', async (context) => {
    const { path, read, full, third, metadataOf } = await given(context);
    const damages = async (number: number, how: (bytes: Buffer) => Buffer, message: RegExp): Promise<void> => {
      const file = join(path, full.container, `${full.prefix}-0000${number}`);
      const before = await readFile(file);
      await writeFile(file, how(Buffer.from(before)));
      await refuses(read(metadataOf(full)), 'BackupDamaged', message);
      await writeFile(file, before);
    };
    const flipped = (bytes: Buffer): Buffer => {
      const middle = bytes.length >> 1;
      bytes[middle] = (bytes[middle] ?? 0) ^ 1;
      return bytes;
    };
    await damages(1, flipped, /-00001 is damaged: it/);
    await damages(1, (bytes) => bytes.subarray(0, 9), /-00001 is damaged: it cannot be decompressed/);
    await damages(4, flipped, /-00004 is damaged: its MD5 is another/);
    await damages(4, (bytes) => bytes.subarray(1), /-00004 is damaged: it has 8191 bytes of 8192/);
    await damages(4, (bytes) => Buffer.concat([bytes, bytes]), /-00004 is damaged: it has more than 8192 bytes/);
    const told = join(path, metadataOf(full));
    const text = await readFile(told, 'utf8');
    const { objects, ...rest } = JSON.parse(text);
    // Of these the last bytes are read of no use: others lie over them, or there are no more.
    for (const number of [2, 8]) {
      const wrong = objects.map((each: object, index: number) =>
        index === number - 1
          ? JSON.parse(JSON.stringify(each).replace(/"md5":"\w+/, `"md5":"${'0'.repeat(32)}`))
          : each,
      );
      await writeFile(told, JSON.stringify({ ...rest, objects: wrong }));
      await refuses(read(metadataOf(third)), 'BackupDamaged', new RegExp(`-0000${number} is damaged: its MD5`));
    }
    await writeFile(told, text);
    await rm(join(path, full.container, `${full.prefix}-00004`));
    await refuses(read(metadataOf(third)), 'BackupMissing', /-00004 is not in the store/);
  });

  test('need no object that later ones have written over', async (context) => {
    const { path, read, full, third, metadataOf } = await given(context);
    const told = join(path, metadataOf(third));
    const text = await readFile(told, 'utf8');
    const [first] = JSON.parse(await readFile(join(path, metadataOf(full)), 'utf8')).objects;
    const again = JSON.stringify(first).replaceAll(full.prefix, third.prefix);
    await writeFile(told, JSON.stringify({ ...JSON.parse(text), objects: [JSON.parse(again)] }));
    const name = (of: Made): string => join(path, of.container, `${of.prefix}-00001`);
    await writeFile(name(third), await readFile(name(full)));
    await rm(name(full));
    assert.equal((await read(metadataOf(third))).subarray(0, 8).toString(), 'What a v');
  });

  test('are refused when metadata is not to be believed, before a byte is read', async (context) => {
    const { path, read, second, metadataOf } = await given(context);
    const told = join(path, metadataOf(second));
    const text = await readFile(told, 'utf8');
    const refusesWith = async (from: string | RegExp, to: string, name: string, message: RegExp): Promise<void> => {
      const changed = text.replace(from, to);
      assert.notEqual(changed, text);
      await writeFile(told, changed);
      await refuses(read(metadataOf(second)), name, message);
    };
    const at = '"offset": 4096';
    await refusesWith('"1.0.0"', '"2.0.0"', 'BackupFormatTooNew', /of version 2\.0\.0/);
    await refusesWith(
      '"compression": "zlib"',
      '"compression": "bz2"',
      'BackupFailed',
      /with "bz2", which cannot be read/,
    );
    await refusesWith('key_id\\": null', 'key_id\\": \\"k\\"', 'BackupFailed', /of an encrypted volume/);
    await refusesWith(at, '"offset": 12000', 'BackupDamaged', /overlap/);
    await refusesWith(at, '"offset": -1', 'BackupDamaged', /lies nowhere/);
    await refusesWith(at, '"offset": 65536', 'BackupDamaged', /more than the full backup/);
    await refusesWith(at, '"offset": 69632', 'BackupDamaged', /No object of \S+ says what lies from byte 65536 on/);
    await refusesWith(/"volume_[^"]+-00001"/, '"../../elsewhere"', 'BackupDamaged', /a name that none of it has/);
    await refusesWith(/"backup_id": "\w+/, '"backup_id": "ffffffff', 'BackupDamaged', /of which backup/);
    await refusesWith(/"parent_id": "\w+/, '"parent_id": "ffffffff', 'BackupMissing', /increment to backup ffffffff-/);
    await refusesWith(/"parent_id": "\w+/, '"parent_id": "00000011', 'BackupDamaged', /an increment to itself/);
    await refusesWith(/"volume_id": "\w+/, '"volume_id": "22222222', 'BackupDamaged', /of another volume/);
    await refusesWith('{', '', 'BackupDamaged', /no metadata/);
  });
});

describe('layers', () => {
  test('lie over each other as if each was painted over what was there', () => {
    const layer = fc.array(fc.tuple(fc.nat(6), fc.integer({ min: 1, max: 6 })), { maxLength: 6 }).map((steps) => {
      let at = 0;
      return steps.map(([gap, bytes], index): CinderObject => {
        const object = { name: String(index), at: at + gap, bytes, compression: 'none', md5: '' } as const;
        at = object.at + bytes;
        return object;
      });
    });
    fc.assert(
      fc.property(fc.array(layer, { maxLength: 5 }), (layers) => {
        const painted: (CinderObject | undefined)[] = [];
        for (const objects of layers)
          for (const object of objects)
            for (let at = object.at; at < object.at + object.bytes; at += 1) painted[at] = object;
        const laid: (CinderObject | undefined)[] = [];
        let end = 0;
        for (const { at, bytes, object, layer } of laidOver(layers)) {
          assert.ok(at >= end && bytes > 0, 'in order, none beside itself');
          assert.ok(layers[layer]?.includes(object));
          end = at + bytes;
          for (let place = at; place < end; place += 1) laid[place] = object;
        }
        for (let at = 0; at < Math.max(painted.length, laid.length); at += 1) assert.equal(laid[at], painted[at]);
      }),
    );
  });
});
