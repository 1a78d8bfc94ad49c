import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Floor } from '../../src/events/floor.ts';

describe('the floor of a sink', () => {
  test('is below what was written lately and what was not delivered', () => {
    const floor = new Floor();
    floor.raise(100, 40);
    assert.equal(floor.seq, 40);
    floor.raise(60, 200);
    assert.equal(floor.seq, 60);
  });

  test('never sinks by itself', () => {
    const floor = new Floor();
    floor.raise(100, 100);
    floor.raise(0, 0);
    assert.equal(floor.seq, 100);
  });

  test('falls back to the beginning once an hour', () => {
    let time = 0;
    const floor = new Floor(() => time);
    floor.raise(100, 100);
    time = 59 * 60_000;
    assert.equal(floor.seq, 100);
    time = 60 * 60_000;
    assert.equal(floor.seq, 0);
  });
});
