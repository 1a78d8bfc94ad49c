import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Semaphore } from '../../src/drivers/semaphore.ts';

/** One place, which somebody has; what waits for it is written down when it runs. `next` lets the next one run. */
function crowded() {
  const semaphore = new Semaphore(1);
  const ran: string[] = [];
  let release = (): void => {};
  const wait = (projectId: string, name: string, signal = new AbortController().signal): Promise<void> =>
    semaphore.run({ signal, projectId }, async () => {
      ran.push(name);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    });
  const next = async (): Promise<void> => {
    await turn();
    release();
  };
  return { ran, wait, next };
}

describe('a semaphore', () => {
  it('lets projects take turns, each in the order that its own came, however many one asks for', async () => {
    const { ran, wait, next } = crowded();
    const all = ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1'].map((name) => wait(name.charAt(0), name));
    for (let turns = 0; turns < all.length; turns += 1) await next();
    await Promise.all(all);
    assert.deepEqual(ran, ['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
  });

  it('gives no turn to who has stopped waiting', async () => {
    const { ran, wait, next } = crowded();
    const aborter = new AbortController();
    const first = wait('a', 'a1');
    const others = [wait('b', 'b1', aborter.signal), wait('b', 'b2'), wait('c', 'c1', aborter.signal)];
    aborter.abort(new Error('no longer'));
    const ends = Promise.allSettled(others);
    for (let turns = 0; turns < 2; turns += 1) await next();
    await first;
    assert.deepEqual(
      (await ends).map(({ status }) => status),
      ['rejected', 'fulfilled', 'rejected'],
    );
    assert.deepEqual(ran, ['a1', 'b2']);
    const again = wait('c', 'c2');
    await next();
    await again;
  });
});
