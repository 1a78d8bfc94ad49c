/** Backups that are encrypted: what is read with the right key, with another and without; and what the store is told. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { BackupKey } from '../../src/backups/backups.ts';
import { encrypted } from '../../src/backups/format/encryption.ts';
import { decodeRecord, encodeRecord } from '../../src/backups/format/record.ts';
import { sha256 } from '../../src/backups/format/sealing.ts';
import { newScopeKey, readBackupKey } from '../../src/backups/keys.ts';
import { readManifest } from '../../src/backups/read.ts';
import { contentOfBackup } from '../../src/backups/restore/content.ts';
import { changeKey, makeScope, openScope } from '../../src/backups/scope.ts';
import { BackupDamaged, BackupKeyMissing } from '../../src/model/errors.ts';
import { type BackupWorld, backUp, backupWorld, finish, MIB, NEVER, SCOPE } from './backup-world.ts';

const keyNamed = (id: string): BackupKey => ({ id, hex: randomBytes(32).toString('hex') });
const [OLD, NEW] = [keyNamed('2026-a'), keyNamed('2026-b')];
const WORDS = 'words that nobody may read';

async function inWorld(body: (world: BackupWorld, file: string) => Promise<void>): Promise<void> {
  const world = await backupWorld(2 * MIB, [OLD]);
  try {
    const writes: [number, Buffer][] = [
      [0, Buffer.alloc(MIB, WORDS)],
      [MIB, randomBytes(MIB)],
    ];
    const base = await world.file('base', 3 * MIB, writes);
    const file = await world.file('v', 3 * MIB, [...writes, [MIB + 4096, Buffer.from(WORDS)]]);
    await backUp(world, 'a', { file: base, bytes: 3 * MIB });
    await backUp(world, 'b', { file, base, bytes: 3 * MIB, parentId: 'a' });
    await body(world, file);
  } finally {
    await world.remove();
  }
}

async function contentWith(world: BackupWorld, keys: readonly BackupKey[]): Promise<Buffer> {
  const content = await contentOfBackup(await openScope({ scope: SCOPE, keys }, world.store, NEVER), 'b', NEVER);
  const pieces: Buffer[] = [];
  for await (const piece of content.read(NEVER)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

const filesOf = async (world: BackupWorld): Promise<string[]> =>
  (await readdir(world.storePath, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

describe('an encrypted backup', () => {
  test('is read with its key, and tells the store nothing of what is in it', () =>
    inWorld(async (world, file) => {
      assert.ok((await contentWith(world, [NEW, OLD])).equals(await readFile(file)));
      const chunk = Buffer.alloc(MIB, WORDS);
      for (const path of await filesOf(world)) {
        const stored = await readFile(path);
        const digests = [sha256(chunk), OLD.hex];
        for (const plain of [WORDS, ...digests, ...digests.map((hex) => Buffer.from(hex, 'hex'))])
          assert.ok(!stored.includes(plain), path);
      }
    }));

  test('is not read without its key, nor with another of its name', () =>
    inWorld(async (world) => {
      await assert.rejects(contentWith(world, []), BackupKeyMissing);
      await assert.rejects(contentWith(world, [NEW]), /encrypted with key 2026-a, which this host does not have/);
      await assert.rejects(contentWith(world, [keyNamed('2026-a')]), /another key 2026-a than this host has/);
      const open = () => makeScope({ scope: SCOPE, keys: [NEW] }, '2026-b', world.store, NEVER);
      await assert.rejects(open(), BackupKeyMissing);
      await assert.rejects(makeScope({ scope: 'other', keys: [NEW] }, '2026-a', world.store, NEVER), BackupKeyMissing);
      assert.equal(await world.store.head('scopes/other/scope.json', NEVER), null);
    }));

  test('is read with another key once that wraps the one of its scope, and then with the first no longer', () =>
    inWorld(async (world, file) => {
      assert.equal(await changeKey({ scope: SCOPE, keys: [OLD, NEW] }, '2026-b', world.store, NEVER), true);
      assert.ok((await contentWith(world, [NEW])).equals(await readFile(file)));
      await assert.rejects(contentWith(world, [OLD]), BackupKeyMissing);
      await makeScope({ scope: 'plain', keys: [] }, null, world.store, NEVER);
      assert.equal(await changeKey({ scope: 'plain', keys: [NEW] }, '2026-b', world.store, NEVER), false);
    }));

  test('has the same manifest when that is written again', () =>
    inWorld(async (world, file) => {
      const manifest = join(world.storePath, 'scopes', SCOPE, 'manifests', 'c');
      const { bites } = await backUp(world, 'c', { file, bytes: 3 * MIB });
      const first = await readFile(manifest);
      await finish(world, 'c', { file, bytes: 3 * MIB }, bites);
      assert.ok((await readFile(manifest)).equals(first));
    }));

  test('cannot be put in the place of another', () =>
    inWorld(async (world) => {
      const folder = join(world.storePath, 'scopes', SCOPE, 'manifests');
      await copyFile(join(folder, 'a'), join(folder, 'b'));
      await assert.rejects(contentWith(world, [OLD]), BackupDamaged);
      await makeScope({ scope: 'other', keys: [OLD] }, '2026-a', world.store, NEVER);
      const other = await openScope({ scope: 'other', keys: [OLD] }, world.store, NEVER);
      await world.store.put('scopes/other/manifests/a', await readFile(join(folder, 'a')), NEVER);
      await assert.rejects(readManifest(other, 'a', NEVER), BackupDamaged);
      const ours = join(world.storePath, 'scopes', SCOPE, 'scope.json');
      const theirs = join(world.storePath, 'scopes', 'other', 'scope.json');
      const wrapped = JSON.parse(await readFile(theirs, 'utf8')).encryption;
      await writeFile(ours, JSON.stringify({ ...JSON.parse(await readFile(ours, 'utf8')), encryption: wrapped }));
      await assert.rejects(contentWith(world, [OLD]), BackupKeyMissing);
    }));

  test('has records in which any bit that is changed is found, and no two that are alike', () => {
    const sealing = encrypted('s', newScopeKey());
    const plain = Buffer.from(WORDS);
    const record = encodeRecord(sealing, plain);
    assert.ok(decodeRecord(sealing, record, record.body).equals(plain));
    assert.notDeepEqual(encodeRecord(sealing, plain).body, record.body);
    for (let bit = 0; bit < record.body.length * 8; bit += 1) {
      const body = Buffer.from(record.body);
      body[bit >> 3] = (body[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.throws(() => decodeRecord(sealing, record, body), BackupDamaged, `bit ${bit}`);
    }
    const other = encodeRecord(sealing, randomBytes(20));
    assert.throws(() => decodeRecord(sealing, other, record.body), BackupDamaged);
  });
});

describe('the file of a key', () => {
  test('is taken when it is 32 bytes that nobody else can read, and its refusal does not tell them', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pumice-keys-'));
    try {
      const path = join(directory, 'key');
      const bytes = randomBytes(32);
      await writeFile(path, bytes, { mode: 0o600 });
      assert.deepEqual(await readBackupKey('k', path), { id: 'k', hex: bytes.toString('hex') });
      for (const mode of [0o640, 0o604, 0o610]) {
        await chmod(path, mode);
        await assert.rejects(readBackupKey('k', path), (error: Error) => {
          assert.ok(error instanceof BackupKeyMissing);
          assert.match(error.message, /^Key k of backups cannot be used: .*its mode should be 0600/);
          return !error.message.includes(bytes.toString('hex'));
        });
      }
      await chmod(path, 0o600);
      await writeFile(path, bytes.subarray(1));
      await assert.rejects(readBackupKey('k', path), /has 31 bytes in place of 32/);
      await assert.rejects(readBackupKey('k', `${path}-not`), /cannot be opened/);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
