/** A journal is read by later versions, so what is stored of each kind of step stays as it is, key by key. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { plan, replay } from '../../src/engine/cursor.ts';
import { parseStep, type Step } from '../../src/engine/step.ts';
import { assertGolden } from '../golden.ts';
import { proveEngine } from './journals.ts';
import { Broken, breaks, breaksTimes, type Call, counts, flow, looks, makes, owes } from './tasks.ts';

const whole = flow<object>('whole')
  .add(owes('owed'))
  .attempts('attempts', { limit: () => 2, remember: ({ pick }) => pick ?? null }, (span) =>
    span
      .add(counts('pick'))
      .lane(() => 'control')
      .add(makes('make', { retry: { tries: 2, backoffMs: 0 } })),
  )
  .when('filled', () => true, flow<object>('fill').add(looks('copy')).build({ version: 1 }))
  .when('grown', () => false, flow<object>('grow').add(looks('extend')).build({ version: 1 }))
  .build({ version: 1 });

const taken = flow<object>('taken')
  .add(makes('a'))
  .add(makes('b', { retry: { tries: 1 } }))
  .build({ version: 1 });

/** Times and traces are of the day and of the source. */
const line = ({ node, event, attempt, data }: Step): string => {
  const masked = JSON.stringify(data, (key, value) => (key === 'at' || key === 'trace' ? key : value));
  return `${node} ${event} ${attempt} ${masked}\n`;
};

proveEngine('what is stored of a step', (test) => {
  test('is what it was, for each kind of step', async (w) => {
    const life = await w.live([whole, taken]);
    const troubled = breaksTimes(1, { transient: true });
    w.tools.on.make = ({ context }: Call) => {
      if (context.attempt === 2) return troubled();
      throw new Broken('full', { elsewhere: true });
    };
    const done = await w.begin(life, whole, {});
    assert.equal((await w.settled(life, done)).state, 'success');

    w.tools.on.b = breaks('no room');
    w.tools.on['-b'] = breaks('cannot undo');
    const abandoned = await w.begin(life, taken, {});
    await w.settled(life, abandoned);
    await life.engine.wish(abandoned, 'abandon', 'scrap');
    await w.settled(life, abandoned);

    w.tools.on.a = ({ context }: Call) => life.engine.wish(context.flowId, 'cancel', 'not wanted');
    const cancelled = await w.begin(life, taken, {});
    await w.settled(life, cancelled);

    const steps: Step[] = [];
    for (const id of [done, abandoned, cancelled]) steps.push(...(await w.ground.journal.steps(id)));
    assertGolden('steps.txt', steps.map(line).join(''));
  });
});

describe('a journal that was stored', () => {
  it('is read back to where its flow ended', () => {
    const stored = readFileSync('test/golden/steps.txt', 'utf8').matchAll(/^(\S+) (\S+) (\d+) (.*)$/gm);
    const steps = [...stored].map(([, node = '', event = '', attempt, data = '']) =>
      parseStep({
        node,
        event,
        attempt: Number(attempt),
        data: data === 'null' ? null : data,
        startedAt: null,
        at: '',
      }),
    );
    const begins = steps.flatMap(({ node, event }, index) => (node === 'a' && event === 'done' ? [index] : []));
    const ends = [
      plan(replay(whole, {}, steps.slice(0, begins[0]))),
      plan(replay(taken, {}, steps.slice(...begins))),
      plan(replay(taken, {}, steps.slice(begins[1]))),
    ];
    assert.deepEqual(ends, [
      { do: 'end', state: 'success' },
      { do: 'end', state: 'reverted' },
      { do: 'end', state: 'reverted' },
    ]);
  });
});
