import assert from 'node:assert/strict';
import { proveEngine } from './journals.ts';
import { breaks, breaksTimes, type Call, counts, flow, looks, makes, owes } from './tasks.ts';

proveEngine('a revert', (test) => {
  const five = flow<object>('five')
    .add(owes('owed'))
    .add(makes('a'))
    .add(looks('nothing-to-undo'))
    .add(makes('b'))
    .add(makes('c'))
    .build({ version: 1 });

  test('runs for every task that started, in reverse order, and is told how its own ended', async (w) => {
    w.tools.on.c = breaks();
    const life = await w.live([five]);
    const id = await w.begin(life, five, {});
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', '+nothing-to-undo', '+b', '+c', '-c failed', '-b done', '-a done']);
    assert.deepEqual(await w.story(id), [
      'owed done',
      'a done',
      'nothing-to-undo done',
      'b done',
      'c failed',
      'c reverted',
      'b reverted',
      'a reverted',
      'owed reverted',
    ]);
    assert.deepEqual(await w.ground.rows(), { '-owed': '1' });
  });

  test('is given the typed result, the failure, and all failures of the flow', async (w) => {
    const outcomes: unknown[] = [];
    w.tools.on.c = breaks('no room');
    for (const name of ['-a', '-c', '-owed'])
      w.tools.on[name] = ({ outcome, context }: Call) =>
        outcomes.push([name, outcome, context.failures.map(({ task, name, message }) => [task, name, message])]);
    const life = await w.live([five]);
    await w.settled(life, await w.begin(life, five, {}));
    const failures = [['c', 'Broken', 'no room']];
    const [c, a, owed] = outcomes as [unknown, { is: string; failure?: { trace: string } }, unknown][];
    assert.equal(c?.[1].is, 'failed');
    assert.match(c?.[1].failure?.trace ?? '', /no room[\s\S]*tasks\.ts/);
    assert.deepEqual(c?.[2], failures);
    assert.deepEqual(a, ['-a', { is: 'done', result: { a: 'a!' } }, failures]);
    assert.deepEqual(owed, ['-owed', { is: 'done', result: null }, failures]);
  });

  test('is told that its task was interrupted when the process died inside', async (w) => {
    const once = flow<object>('once')
      .add(makes('a'))
      .add(makes('b', { onInterrupt: 'revert' }))
      .build({ version: 1 });
    const first = await w.live([once]);
    w.tools.on.b = () => w.kill();
    const id = await w.begin(first, once, {});
    await first.journal.death;
    await first.die();
    const second = await w.live([once]);
    assert.equal((await w.settled(second, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', '+b', '-b interrupted', '-a done']);
    assert.deepEqual(await w.story(id), ['a done', 'b interrupted', 'b cancelled', 'b reverted', 'a reverted']);
  });

  test('that fails is tried again, then goes on', async (w) => {
    w.tools.on.c = breaks();
    w.tools.on['-b'] = breaksTimes(2);
    w.tools.on['-owed'] = breaksTimes(2);
    const life = await w.live([five]);
    assert.equal((await w.settled(life, await w.begin(life, five, {}))).state, 'reverted');
    assert.deepEqual(w.tools.did.slice(4), ['-c failed', '-b done', '-b done', '-b done', '-a done']);
    assert.deepEqual(await w.ground.rows(), { '-owed': '1' });
  });

  test('begins only when the failure is in the journal', async (w) => {
    const stories: (readonly string[])[] = [];
    w.tools.on.c = breaks();
    w.tools.on['-c'] = async ({ context }: Call) => void stories.push(await w.story(context.flowId));
    const life = await w.live([five]);
    await w.settled(life, await w.begin(life, five, {}));
    assert.deepEqual(stories[0]?.at(-1), 'c failed');
  });

  const records = flow<object>('records').add(counts('a')).add(counts('b')).build({ version: 1 });

  test('of a record finds the failure in the journal too', async (w) => {
    w.tools.on.b = breaks();
    const life = await w.live([records], { faults: { crash: { write: 1, moment: 'after' } } });
    const id = await w.begin(life, records, {});
    await life.journal.death;
    assert.deepEqual(await w.story(id), ['a done', 'b failed']);
  });
});
