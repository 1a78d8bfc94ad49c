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

  it('lets those of a lower rank wait until nobody of a higher one does', async () => {
    const semaphore = new Semaphore(1, 2);
    const ran: string[] = [];
    const run = (projectId: string, name: string, rank: number): Promise<void> =>
      semaphore.run({ signal: new AbortController().signal, projectId }, async () => void ran.push(name), rank);
    await Promise.all([
      run('a', 'a0', 0),
      run('a', 'a low', 1),
      run('b', 'b low', 1),
      run('a', 'a1', 0),
      run('b', 'b1', 0),
    ]);
    assert.deepEqual(ran, ['a0', 'a1', 'b1', 'a low', 'b low']);
  });

  it('tells each that waits its place, whenever that changes, and that it goes on', async () => {
    const semaphore = new Semaphore(1, 2);
    const told: Record<string, (string | null)[]> = {};
    const hear = (name: string, text: string | null): void => {
      told[name] = [...(told[name] ?? []), text];
    };
    const opening: (() => void)[] = [];
    const wait = (name: string, rank = 0, signal = new AbortController().signal): Promise<void> =>
      semaphore.run(
        {
          signal,
          projectId: name.charAt(0),
          waiting: (wait) => hear(name, wait && `${wait.what}: ${wait.why}`),
        },
        () => new Promise((resolve) => void opening.push(resolve)),
        rank,
      );
    const aborter = new AbortController();
    const all = [wait('a1'), wait('a2'), wait('a3'), wait('b low', 1), wait('b1', 0, aborter.signal)];
    const gone = assert.rejects(all.pop() as Promise<void>);
    assert.deepEqual(told, {
      a2: ['its turn: 1st of 1', 'its turn: 1st of 2', 'its turn: 1st of 3', 'its turn: 1st of 4'],
      a3: ['its turn: 2nd of 2', 'its turn: 2nd of 3', 'its turn: 3rd of 4'],
      'b low': ['its turn: 3rd of 3', 'its turn: 4th of 4'],
      b1: ['its turn: 2nd of 4'],
    });
    aborter.abort(new Error('no longer'));
    await gone;
    assert.equal(told.a3?.at(-1), 'its turn: 2nd of 3');
    for (const _ of all) {
      opening.pop()?.();
      await turn();
    }
    await Promise.all(all);
    assert.deepEqual([told.a2?.at(-1), told.a3?.at(-1), told['b low']?.at(-1)], [null, null, null]);
    assert.deepEqual(told['b low']?.slice(-3), ['its turn: 2nd of 2', 'its turn: 1st of 1', null]);
    assert.ok(!('a1' in told), 'it never waited');
  });

  it('tells no place that is far away, so that a turn is not news to thousands', async () => {
    const semaphore = new Semaphore(1);
    const last: string[] = [];
    const opening = Promise.withResolvers<void>();
    const all = Array.from({ length: 102 }, (_, index) =>
      semaphore.run(
        {
          signal: new AbortController().signal,
          waiting: (wait) => {
            last[index] = wait?.why ?? 'goes on';
          },
        },
        () => opening.promise,
      ),
    );
    assert.deepEqual(
      [last[1], last[99], last[100]],
      ['1st of more than 99', '99th of more than 99', 'behind 99 others or more'],
    );
    opening.resolve();
    await Promise.all(all);
    assert.ok(last.slice(1).every((why) => why === 'goes on'));
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
