/** A call made for many: who shares it, and who must wait for the next. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SharedCall } from '../../src/lib/shared-call.ts';

/** A call that counts how often it was made, and ends when it is told to. */
function gated() {
  const made: { readonly end: () => void; readonly fail: (error: Error) => void }[] = [];
  const shared = new SharedCall(() => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const number = made.length + 1;
    made.push({ end: () => resolve(number), fail: reject });
    return promise;
  });
  return { shared, made };
}

const turn = (): Promise<void> => new Promise(setImmediate);

describe('a call that is shared', () => {
  it('is made once for those who ask together', async () => {
    const { shared, made } = gated();
    const asked = [shared.run(), shared.run(), shared.run()];
    await turn();
    assert.equal(made.length, 1);
    made[0]?.end();
    assert.deepEqual(await Promise.all(asked), [1, 1, 1]);
  });

  it('is made again, once, for all who asked after it had begun', async () => {
    const { shared, made } = gated();
    const first = shared.run();
    await turn();
    const late = [shared.run(), shared.run()];
    await turn();
    assert.equal(made.length, 1, 'two are under way at once');
    made[0]?.end();
    assert.equal(await first, 1);
    await turn();
    const latest = shared.run();
    made[1]?.end();
    assert.deepEqual(await Promise.all(late), [2, 2]);
    await turn();
    made[2]?.end();
    assert.equal(await latest, 3);
  });

  it('tells its failure to those who shared it, and to nobody else', async () => {
    const { shared, made } = gated();
    const first = [shared.run(), shared.run()];
    await turn();
    const next = shared.run();
    made[0]?.fail(new Error('the disk is gone'));
    for (const each of first) await assert.rejects(each, /the disk is gone/);
    await turn();
    made[1]?.end();
    assert.equal(await next, 2);
    const last = shared.run();
    await turn();
    made[2]?.end();
    assert.equal(await last, 3);
  });
});
