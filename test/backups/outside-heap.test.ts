/** Memory that is given back. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { giveBack } from '../../src/backups/outside-heap.ts';

const KIB = 1024;

describe('memory that is given back', () => {
  test('is gone, for whoever has a view of it too', () => {
    const buffer = Buffer.alloc(1024 * KIB, 1);
    const view = buffer.subarray(4 * KIB, 8 * KIB);
    giveBack(buffer);
    assert.deepEqual([buffer.length, view.length], [0, 0]);
  });

  test('stays where others may have a part of it', () => {
    const small = Buffer.allocUnsafe(KIB).fill(1);
    const part = Buffer.alloc(1024 * KIB, 1).subarray(KIB);
    giveBack(small);
    giveBack(part);
    assert.deepEqual([small.length, part.length], [KIB, 1023 * KIB]);
    assert.ok(small.every((byte) => byte === 1) && part.every((byte) => byte === 1));
  });
});
