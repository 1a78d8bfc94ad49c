import assert from 'node:assert/strict';
import { Gate } from './gate.ts';
import { proveEngine } from './journals.ts';
import { Broken, breaks, breaksTimes, type Call, flow, makes } from './tasks.ts';

const quick = { backoffMs: 1, maxBackoffMs: 2 };

proveEngine('a world task that fails', (test) => {
  const thrice = flow<object>('thrice')
    .add(makes('a', { retry: { tries: 3, ...quick } }))
    .build({ version: 1 });

  test('for a passing reason is tried again in place', async (w) => {
    w.tools.on.a = breaksTimes(2, { transient: true });
    const life = await w.live([thrice]);
    assert.equal((await w.settled(life, await w.begin(life, thrice, {}))).state, 'success');
    assert.deepEqual(w.tools.did, ['+a', '+a', '+a']);
  });

  test('for a passing reason too often is reverted', async (w) => {
    w.tools.on.a = breaks('busy', { transient: true });
    const life = await w.live([thrice]);
    const id = await w.begin(life, thrice, {});
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', '+a', '+a', '-a failed']);
    assert.deepEqual(await w.story(id), ['a retried', 'a retried', 'a failed', 'a reverted']);
  });

  test('for any other reason is not tried again', async (w) => {
    w.tools.on.a = breaks('wrong');
    const life = await w.live([thrice]);
    assert.equal((await w.settled(life, await w.begin(life, thrice, {}))).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', '-a failed']);
  });

  test('without an answer is asked again until there is one, also when meanwhile nobody can be asked', async (w) => {
    const answers = [{ unanswered: true }, ...Array(6).fill({ unasked: true, elsewhere: true })];
    w.tools.on.a = () => {
      const answer = answers.shift();
      if (answer !== undefined) throw new Broken('away', answer);
    };
    const life = await w.live([thrice]);
    assert.equal((await w.settled(life, await w.begin(life, thrice, {}))).state, 'success');
    assert.equal(w.tools.did.filter((each) => each === '+a').length, 8);
  });

  test('without an answer, and is then told that it cannot be, is undone as one that may have begun', async (w) => {
    const answers = [{ unanswered: true }, { unasked: true }];
    w.tools.on.a = () => {
      throw new Broken(answers.length > 0 ? 'away' : 'no', answers.shift());
    };
    const life = await w.live([thrice]);
    const row = await w.settled(life, await w.begin(life, thrice, {}));
    assert.equal(row.state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', '+a', '+a', '-a failed']);
  });

  test('since nobody could be asked is not tried again, for nothing was begun', async (w) => {
    w.tools.on.a = breaks('not there', { unasked: true });
    const life = await w.live([thrice]);
    assert.equal((await w.settled(life, await w.begin(life, thrice, {}))).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', '-a failed']);
  });

  test('is tried again for the reasons its policy names', async (w) => {
    const named = flow<object>('named')
      .add(makes('a', { retry: { tries: 5, when: ({ message }) => message === 'It broke.', ...quick } }))
      .build({ version: 1 });
    w.tools.on.a = breaksTimes(4);
    const life = await w.live([named]);
    assert.equal((await w.settled(life, await w.begin(life, named, {}))).state, 'success');
    assert.equal(w.tools.did.length, 5);
  });

  test('and only goes forward is tried for ever, whatever the reason; the journal stays thin', async (w) => {
    const forward = flow<object>('forward')
      .add(makes('destroy', { forwardOnly: true, retry: { tries: Number.POSITIVE_INFINITY, ...quick } }))
      .build({ version: 1 });
    w.tools.on.destroy = breaksTimes(100);
    const life = await w.live([forward]);
    const id = await w.begin(life, forward, {});
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.equal(w.tools.did.length, 101);
    assert.deepEqual(await w.story(id), [...Array(7).fill('destroy retried'), 'destroy done']);
  });

  test('and only goes forward needs no policy to be tried again', async (w) => {
    const forward = flow<object>('forward')
      .add(makes('destroy', { forwardOnly: true, retry: { tries: Number.POSITIVE_INFINITY, backoffMs: 1 } }))
      .build({ version: 1 });
    w.tools.on.destroy = breaksTimes(1);
    const life = await w.live([forward]);
    assert.equal((await w.settled(life, await w.begin(life, forward, {}))).state, 'success');
  });

  test('is not tried again when it was cancelled while it waited for its turn', async (w) => {
    const slow = flow<object>('slow')
      .add(makes('a', { retry: { tries: 9, backoffMs: 100_000 } }))
      .build({ version: 1 });
    w.tools.on.a = breaks('busy', { transient: true });
    const gate = new Gate();
    const life = await w.live([slow], {
      listen: (event) => {
        if (event.is === 'task-retried') void gate.pass({ context: {} });
      },
    });
    const id = await w.begin(life, slow, {});
    await gate.arrived;
    await life.engine.wish(id, 'cancel', 'enough');
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', '-a failed']);
  });

  test('because it took too long is told by its signal, and fails as TaskTimeout', async (w) => {
    const timed = flow<object>('timed')
      .add(makes('a', { timeoutMs: 5 }))
      .build({ version: 1 });
    const outcomes: unknown[] = [];
    w.tools.on.a = new Gate().pass;
    w.tools.on['-a'] = ({ outcome }: Call) => outcomes.push(outcome);
    const life = await w.live([timed]);
    assert.equal((await w.settled(life, await w.begin(life, timed, {}))).state, 'reverted');
    const [outcome] = outcomes as [{ failure: { name: string; message: string } }];
    assert.deepEqual([outcome.failure.name, outcome.failure.message], ['TaskTimeout', 'a took longer than 5 ms.']);
  });

  test('because it took too long may be given more time by its policy', async (w) => {
    const timed = flow<object>('timed')
      .add(makes('a', { timeoutMs: 5, retry: { tries: 2, when: ({ name }) => name === 'TaskTimeout', ...quick } }))
      .build({ version: 1 });
    let tries = 0;
    w.tools.on.a = (call: Call) => {
      tries += 1;
      return tries === 1 ? new Gate().pass(call) : undefined;
    };
    const life = await w.live([timed]);
    assert.equal((await w.settled(life, await w.begin(life, timed, {}))).state, 'success');
  });

  test('with something that is no error fails with its text', async (w) => {
    w.tools.on.a = () => {
      throw 'just a text';
    };
    const life = await w.live([thrice]);
    const id = await w.begin(life, thrice, {});
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.equal((await w.failure(id, 'failed')).message, 'just a text');
  });
});
