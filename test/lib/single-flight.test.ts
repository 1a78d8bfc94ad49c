import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SingleFlight } from '../../src/lib/single-flight.ts';

const NEVER = { signal: new AbortController().signal };

describe('work that many want at once', () => {
  it('is done once, for all of them', async () => {
    const flights = new SingleFlight<number>();
    const done = Promise.withResolvers<number>();
    let begun = 0;
    const work = (): Promise<number> => {
      begun += 1;
      return done.promise;
    };
    const all = Promise.all([1, 2, 3].map(() => flights.run('a', NEVER, work)));
    assert.equal(flights.isUnderWay('a'), true);
    done.resolve(7);
    assert.deepEqual([await all, begun, flights.isUnderWay('a')], [[7, 7, 7], 1, false]);
    await flights.run('a', NEVER, work);
    assert.equal(begun, 2);
  });

  it('is nothing to those who want something else', async () => {
    const flights = new SingleFlight<string>();
    const never = new Promise<string>(() => {});
    void flights.run('a', NEVER, () => never);
    assert.equal(await flights.run('b', NEVER, async () => 'b'), 'b');
  });

  it('fails for all of them, and is done anew by who asks later', async () => {
    const flights = new SingleFlight<number>();
    const failing = [1, 2].map(() => flights.run('a', NEVER, () => Promise.reject(new Error('no'))));
    for (const { status } of await Promise.allSettled(failing)) assert.equal(status, 'rejected');
    assert.equal(await flights.run('a', NEVER, async () => 7), 7);
  });

  it('is begun anew by one of those who wait when who does it is stopped', async () => {
    const flights = new SingleFlight<string>();
    const stop = new AbortController();
    const led = flights.run(
      'a',
      stop,
      () => new Promise((_, reject) => stop.signal.addEventListener('abort', () => reject(stop.signal.reason))),
    );
    let begun = 0;
    const work = async (): Promise<string> => {
      begun += 1;
      return 'anew';
    };
    const others = Promise.all([flights.run('a', NEVER, work), flights.run('a', NEVER, work)]);
    stop.abort(new Error('not wanted'));
    await assert.rejects(led, /not wanted/);
    assert.deepEqual([await others, begun], [['anew', 'anew'], 1]);
  });

  it('has those who wait for it wait aside', async () => {
    const flights = new SingleFlight<number>();
    const done = Promise.withResolvers<number>();
    let waiting = 0;
    const aside = async <Result>(wait: Promise<Result>): Promise<Result> => {
      waiting += 1;
      return wait;
    };
    const all = [1, 2, 3].map(() => flights.run('a', { ...NEVER, aside }, () => done.promise));
    done.resolve(7);
    assert.deepEqual([await Promise.all(all), waiting], [[7, 7, 7], 2]);
  });

  it('goes on when one who waits for it is stopped, who is told at once', async () => {
    const flights = new SingleFlight<number>();
    const done = Promise.withResolvers<number>();
    const led = flights.run('a', NEVER, () => done.promise);
    const stop = new AbortController();
    const waits = flights.run('a', stop, () => Promise.reject(new Error('It leads.')));
    stop.abort(new Error('not wanted'));
    await assert.rejects(waits, /not wanted/);
    done.resolve(7);
    assert.equal(await led, 7);
  });
});
