import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { millis, now, orderedUuid } from '../../src/lib/clock.ts';

describe('the source of time and ids', () => {
  it('gives time stamps that grow, and that say the time they were made at', () => {
    const before = Date.now();
    const stamps = Array.from({ length: 10_000 }, now);
    assert.deepEqual(stamps.toSorted(), stamps);
    assert.equal(new Set(stamps).size, stamps.length);
    for (const stamp of stamps) assert.match(stamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
    assert.ok(millis(stamps[0] ?? '') >= before);
  });

  it('gives ids of version 7 that grow, however many are made in a millisecond', () => {
    const ids = Array.from({ length: 20_000 }, orderedUuid);
    assert.deepEqual(ids.toSorted(), ids);
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
