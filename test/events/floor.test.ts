import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Floor } from '../../src/events/floor.ts';

const MINUTE = 60_000;

describe('the floor of a sink', () => {
  test('rises only when every transaction of that moment has ended', () => {
    let time = 0;
    const floor = new Floor(() => time);
    floor.settled(100);
    time = 9 * MINUTE;
    floor.settled(200);
    assert.equal(floor.seq, 0);
    time = 10 * MINUTE;
    floor.settled(300);
    assert.equal(floor.seq, 100);
    time = 19 * MINUTE;
    floor.settled(400);
    assert.equal(floor.seq, 100);
    time = 20 * MINUTE;
    floor.settled(400);
    assert.equal(floor.seq, 300);
  });

  test('falls back to the beginning once an hour', () => {
    let time = 0;
    const floor = new Floor(() => time);
    floor.settled(100);
    time = 10 * MINUTE;
    floor.settled(100);
    time = 59 * MINUTE;
    assert.equal(floor.seq, 100);
    time = 60 * MINUTE;
    assert.equal(floor.seq, 0);
  });

  test('does not sink when all events are gone', () => {
    let time = 0;
    const floor = new Floor(() => time);
    floor.settled(100);
    time = 10 * MINUTE;
    floor.settled(0);
    time = 20 * MINUTE;
    floor.settled(0);
    assert.equal(floor.seq, 100);
  });
});
