import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LowWaterMark } from '../../src/events/low-water-mark.ts';

describe('the low-water mark of a sink', () => {
  test('is below what was written lately and what was not delivered', () => {
    const mark = new LowWaterMark();
    mark.raise(100, 40);
    assert.equal(mark.seq, 40);
    mark.raise(60, 200);
    assert.equal(mark.seq, 60);
  });

  test('never sinks by itself', () => {
    const mark = new LowWaterMark();
    mark.raise(100, 100);
    mark.raise(0, 0);
    assert.equal(mark.seq, 100);
  });

  test('falls back to the beginning once an hour', () => {
    let time = 0;
    const mark = new LowWaterMark(() => time);
    mark.raise(100, 100);
    time = 59 * 60_000;
    assert.equal(mark.seq, 100);
    time = 60 * 60_000;
    assert.equal(mark.seq, 0);
  });
});
