/** Questions that are put once for all who ask in one turn of the event loop. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { onceATurn } from '../../../src/db/sql/once-a-turn.ts';

/** Answers come when they are let. */
function slowQuestion() {
  const sent: ((answer: number) => void)[] = [];
  const ask = onceATurn(() => new Promise<number>((resolve) => sent.push(resolve)));
  return { ask, sent };
}

describe('a question that is put once a turn', () => {
  it('is sent after all who share it have asked', async () => {
    const { ask, sent } = slowQuestion();
    const answers = [ask(), ask()];
    await Promise.resolve();
    answers.push(ask());
    assert.equal(sent.length, 0);
    await setImmediate();
    assert.equal(sent.length, 1);
    sent[0]?.(7);
    assert.deepEqual(await Promise.all(answers), [7, 7, 7]);
  });

  it('is sent again for who asks while it is under way', async () => {
    const { ask, sent } = slowQuestion();
    const early = ask();
    await setImmediate();
    const late = ask();
    await setImmediate();
    assert.equal(sent.length, 2);
    sent[1]?.(2);
    sent[0]?.(1);
    assert.deepEqual([await early, await late], [1, 2]);
  });

  it('fails for all who share it, and for nobody else', async () => {
    let fail = true;
    const ask = onceATurn(async () => {
      if (fail) throw new Error('no answer');
      return 1;
    });
    const failed = await Promise.allSettled([ask(), ask()]);
    assert.deepEqual(
      failed.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    fail = false;
    assert.equal(await ask(), 1);
  });
});
