/** The layout on a store: what was written is read alike, what was changed is found out, what is newer is refused. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeDocument, encodeDocument, FORMAT } from '../../src/backups/format/document.ts';
import { decodeManifest, encodeManifest, manifestOf } from '../../src/backups/format/manifest.ts';
import { manifestFile, packFile, packOf, partsOf, scopeFile } from '../../src/backups/format/names.ts';
import { PackBuffer } from '../../src/backups/format/pack.ts';
import { decodeRecord, encodeRecord, type RecordRef } from '../../src/backups/format/record.ts';
import { UNENCRYPTED } from '../../src/backups/format/sealing.ts';
import {
  CHUNK_BYTES,
  type Chunk,
  contentOf,
  decodeSegment,
  encodeSegment,
  SEGMENT_CHUNKS,
} from '../../src/backups/format/segment.ts';
import { decodeTrailer } from '../../src/backups/format/trailer.ts';
import { makeScope, openScope } from '../../src/backups/scope.ts';
import { DirectoryStore } from '../../src/backups/stores/directory-store.ts';
import * as errors from '../../src/model/errors.ts';

const NEVER = new AbortController().signal;

const hex = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const plainly = { noNullPrototype: true } as const;
const ref: fc.Arbitrary<RecordRef> = fc.record(
  {
    id: hex,
    pack: fc.constantFrom('b/1-0', 'b/2-17', 'c/1-3'),
    at: fc.nat(32 * CHUNK_BYTES),
    bytes: fc.nat(CHUNK_BYTES),
    raw: fc.boolean(),
  },
  plainly,
);
const chunk: fc.Arbitrary<Chunk> = fc.oneof(
  fc.constant(null),
  ref,
  fc.record({ id: hex, over: ref, pages: ref, bitmap: hex }, plainly),
);

describe('the layout of backups', () => {
  test('a record is read as it was written, or found to be damaged, whatever bit is changed', () => {
    const plain = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 3000 }),
      fc.string({ minLength: 1, maxLength: 20 }).map((text) => Buffer.from(text.repeat(200))),
    );
    const property = fc.property(plain, fc.nat(), (bytes, bit) => {
      const record = encodeRecord(UNENCRYPTED, Buffer.from(bytes));
      assert.ok(decodeRecord(UNENCRYPTED, record, record.body).equals(bytes));
      const body = Buffer.from(record.body);
      const at = bit % (body.length * 8);
      body[at >> 3] = (body[at >> 3] as number) ^ (1 << (at & 7));
      try {
        // A bit of a frame's head may say nothing about its content.
        assert.ok(decodeRecord(UNENCRYPTED, record, body).equals(bytes));
      } catch (error) {
        assert.ok(error instanceof errors.BackupDamaged, String(error));
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  test('a record that would hardly be smaller is not compressed', () => {
    assert.equal(encodeRecord(UNENCRYPTED, randomBytes(CHUNK_BYTES)).raw, true);
    const text = encodeRecord(UNENCRYPTED, Buffer.alloc(CHUNK_BYTES, 'some text'));
    assert.equal(text.raw, false);
    assert.ok(text.body.length < 1000);
  });

  test('a document is read as it was written; any bit that is changed is found', () => {
    const document = { format: FORMAT, facts: Array.from({ length: 20 }, (_, i) => `fact ${i}`) };
    const bytes = encodeDocument(UNENCRYPTED, 'what', document);
    assert.deepEqual(decodeDocument(UNENCRYPTED, 'what', bytes), document);
    assert.deepEqual(decodeDocument(UNENCRYPTED, 'what', Buffer.concat([randomBytes(99), bytes])), document);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.throws(() => decodeDocument(UNENCRYPTED, 'what', changed), errors.BackupDamaged, `bit ${bit}`);
    }
    for (const cut of [0, 10, bytes.length - 1])
      assert.throws(
        () => decodeDocument(UNENCRYPTED, 'what', bytes.subarray(bytes.length - cut)),
        errors.BackupDamaged,
      );
  });

  test('a segment is read as it was written, and what it holds is told apart from where that lies', () => {
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 30 }), (chunks) => {
        assert.deepEqual(decodeSegment(encodeSegment(chunks), chunks.length), chunks);
        assert.throws(() => decodeSegment(encodeSegment(chunks), chunks.length + 1), errors.BackupDamaged);
        const moved = chunks.map((each) => each && { ...each, pack: 'd/1-0' });
        assert.equal(contentOf(moved), contentOf(chunks));
        if (chunks.length > 0) assert.notEqual(contentOf([...chunks.slice(1), null, null]), contentOf(chunks));
      }),
      { numRuns: 100 },
    );
  });

  test('a pack says what is in it', () => {
    const buffer = new PackBuffer(UNENCRYPTED, 8 * CHUNK_BYTES);
    for (const name of [packOf('b', 1, 0), packOf('b', 1, 1)]) {
      buffer.begin(name);
      const plain = [randomBytes(5000), Buffer.alloc(CHUNK_BYTES, 'text'), randomBytes(1)];
      const refs = plain.map((each) => buffer.add(each));
      const changes = refs.map((each, index) => [index * 7, each] as const);
      const { body } = buffer.close({
        readsAll: true,
        changes: [...changes, [99, null]],
        segments: [[0, refs[1] ?? null]],
      });
      const trailer = decodeTrailer(UNENCRYPTED, name, body);
      assert.equal(refs[0]?.at, 0);
      assert.deepEqual(trailer.records, refs);
      assert.deepEqual(trailer.changes, [...changes, [99, null]]);
      assert.deepEqual(trailer.segments, [[0, refs[1]]]);
      for (const [index, { at, bytes, ...record }] of refs.entries())
        assert.ok(decodeRecord(UNENCRYPTED, record, body.subarray(at, at + bytes)).equals(plain[index] as Buffer));
    }
  });

  test('a manifest is read as it was written, and lists what its segments need', () => {
    const at = (pack: string, id: string): RecordRef => ({ id: id.repeat(64), pack, at: 0, bytes: 10, raw: false });
    const listed = ['b/1-0', 'b/1-1', 'a/1-0', 'a/1-1'].map((name) => ({ name, bytes: 100, sha256: 'c'.repeat(64) }));
    const manifest = manifestOf(
      {
        backupId: 'b',
        scope: 's',
        bytes: 3 * SEGMENT_CHUNKS * CHUNK_BYTES,
        createdAt: '2026-01-31T12:00:00.000000',
        metadata: { name: 'v' },
        segments: [
          { content: 'a'.repeat(64), record: at('b/1-0', 'd'), packs: ['b/1-0', 'a/1-1'] },
          null,
          { content: 'b'.repeat(64), record: at('a/1-1', 'e'), packs: ['a/1-1'] },
        ],
      },
      new Map(listed.map((pack) => [pack.name, pack])),
    );
    assert.deepEqual(manifest.packs.map(({ name }) => name).sort(), ['a/1-1', 'b/1-0']);
    const bytes = encodeManifest(UNENCRYPTED, manifest);
    assert.deepEqual(decodeManifest(UNENCRYPTED, 'b', bytes), manifest);
    assert.ok(encodeManifest(UNENCRYPTED, manifest).equals(bytes));
    assert.throws(() => decodeManifest(UNENCRYPTED, 'c', bytes), errors.BackupDamaged);
  });

  test('names never lead out of the store', () => {
    assert.equal(packFile('s', packOf('b', 3, 12)), 'scopes/s/packs/b/3-12');
    assert.deepEqual(partsOf(packOf('b', 3, 12)), { attempt: 3, number: 12 });
    for (const bad of ['..', 'a/b', '', 'ä', `${'a'.repeat(201)}`, 'a\0']) {
      assert.throws(() => scopeFile(bad), RangeError);
      assert.throws(() => manifestFile('s', bad), RangeError);
      assert.throws(() => packOf(bad, 1, 0), RangeError);
    }
    for (const bad of ['../x', 'b/..', 'b/1-0/..', 'b/0-0', 'b/1', '/1-0'])
      assert.throws(() => packFile('s', bad), errors.BackupDamaged);
  });
});

describe('a store that is opened', () => {
  const withStore = async (body: (store: DirectoryStore, path: string) => Promise<void>): Promise<void> => {
    const path = await mkdtemp(join(tmpdir(), 'pumice-store-'));
    try {
      await body(new DirectoryStore(path), path);
    } finally {
      await rm(path, { recursive: true });
    }
  };

  test('is made once, by whoever comes first', () =>
    withStore(async (store) => {
      await assert.rejects(openScope({ scope: 's', keys: [] }, store, NEVER), errors.BackupStoreRefused);
      const ids = await Promise.all(['s', 's', 't'].map((scope) => makeScope({ scope, keys: [] }, null, store, NEVER)));
      assert.equal(new Set(ids).size, 1);
      assert.equal((await openScope({ scope: 's', keys: [] }, store, NEVER)).name, 's');
      await assert.rejects(openScope({ scope: 'u', keys: [] }, store, NEVER), errors.BackupMissing);
    }));

  for (const file of ['pumice-store.json', 'scopes/s/scope.json']) {
    test(`is left alone when ${file} is of a newer format, or damaged`, () =>
      withStore(async (store, path) => {
        await makeScope({ scope: 's', keys: [] }, null, store, NEVER);
        const text = await readFile(join(path, file), 'utf8');
        const calls = [
          () => openScope({ scope: 's', keys: [] }, store, NEVER),
          () => makeScope({ scope: 's', keys: [] }, null, store, NEVER),
        ];
        for (const [changed, refusal] of [
          [text.replace('"format": 1', '"format": 2'), errors.BackupFormatTooNew],
          [text.slice(0, -5), errors.BackupDamaged],
          ['', errors.BackupDamaged],
        ] as const) {
          await writeFile(join(path, file), changed);
          for (const call of calls) await assert.rejects(call(), refusal);
          assert.equal(await readFile(join(path, file), 'utf8'), changed);
        }
      }));
  }
});
