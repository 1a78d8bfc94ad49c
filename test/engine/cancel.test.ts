import assert from 'node:assert/strict';
import { Gate } from './gate.ts';
import { proveEngine, until } from './journals.ts';
import { breaksTimes, type Call, counts, flow, makes, owes } from './tasks.ts';

proveEngine('cancel', (test) => {
  const mixed = flow<object>('mixed')
    .add(makes('a'))
    .add(counts('b'))
    .add(makes('c'))
    .add(makes('d'))
    .add(counts('e'))
    .build({ version: 1 });

  test('tells the reverts whether the task it names had begun', async (w) => {
    const life = await w.live([mixed]);
    w.tools.on.a = ({ context }: Call) => life.engine.wish(context.flowId, 'cancel', 'enough');
    const before = await w.begin(life, mixed, {});
    await w.settled(life, before);
    assert.partialDeepStrictEqual(await w.failure(before, 'cancelled'), { task: 'b', before: true });

    delete w.tools.on.a;
    const gate = new Gate();
    w.tools.on.a = gate.pass;
    const inside = await w.begin(life, mixed, {});
    await gate.arrived;
    await life.engine.wish(inside, 'cancel', 'enough');
    await w.settled(life, inside);
    const failure = await w.failure(inside, 'failed');
    assert.deepEqual([failure.task, failure.before], ['a', undefined]);
  });

  test('at any boundary reverts what has started, and nothing else', async (w) => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (let write = 0; ; write += 1) {
      w.tools.did.length = 0;
      let heard: boolean | undefined;
      const id = `f${write}`;
      const life = await w.live([mixed], {
        faults: {
          onWrite: async (n) => {
            if (n === write) heard = await life.engine.wish(id, 'cancel', 'enough');
          },
        },
      });
      await w.begin(life, mixed, {}, { id });
      const { state } = await w.settled(life, id);
      const done = (await w.story(id)).filter((step) => step.endsWith(' done')).map((step) => step.split(' ')[0]);
      assert.deepEqual(done, names.slice(0, done.length));
      if (state === 'success') {
        assert.equal(done.length, 5);
        if (heard === undefined) break;
      } else {
        assert.equal(state, 'reverted');
        const reverted = (await w.story(id)).filter((step) => step.endsWith(' reverted'));
        assert.deepEqual(
          reverted,
          done.toReversed().map((name) => `${name} reverted`),
        );
        const { name, message } = await w.failure(id, 'cancelled');
        assert.deepEqual([name, message], ['Cancelled', 'enough']);
      }
      await life.die();
    }
  });

  test('that comes while what is done is being written keeps the next task from beginning', async (w) => {
    const two = flow<object>('two').add(makes('a')).add(makes('b')).build({ version: 1 });
    const life = await w.live([two], {
      faults: { onWrite: async (n) => void (n === 0 && (await life.engine.wish('f', 'cancel', 'enough'))) },
    });
    await w.begin(life, two, {}, { id: 'f' });
    assert.equal((await w.settled(life, 'f')).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', '-a done']);
  });

  test('stops a task that listens to its signal', async (w) => {
    const gate = new Gate();
    w.tools.on.c = gate.pass;
    const outcomes: unknown[] = [];
    w.tools.on['-c'] = ({ outcome }: Call) => outcomes.push(outcome);
    const life = await w.live([mixed]);
    const id = await w.begin(life, mixed, {});
    await gate.arrived;
    assert.equal(await life.engine.wish(id, 'cancel', 'enough'), true);
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', '+c', '-c failed', '-a done']);
    assert.equal((outcomes[0] as { failure: { name: string } }).failure.name, 'Cancelled');
  });

  test('waits for a task that does not', async (w) => {
    const gate = new Gate();
    w.tools.on.c = gate.passDeaf;
    const life = await w.live([mixed]);
    const id = await w.begin(life, mixed, {});
    await gate.arrived;
    await life.engine.wish(id, 'cancel', 'enough');
    gate.open();
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', '+c', '-c done', '-a done']);
  });

  test('made in another process, or while no process runs the flow, is heeded', async (w) => {
    const gate = new Gate();
    w.tools.on.c = gate.pass;
    const first = await w.live([mixed]);
    const other = await w.live([mixed]);
    const one = await w.begin(first, mixed, {});
    await gate.arrived;
    assert.equal(await other.engine.wish(one, 'cancel', 'enough'), true);
    assert.equal((await w.settled(first, one)).state, 'reverted');

    w.tools.on.c = () => first.journal.die();
    const two = await w.begin(first, mixed, {});
    await first.journal.death;
    await other.die();
    await first.die();
    w.tools.did.length = 0;
    await w.ground.journal.wish(two, 'cancel', 'enough');
    const next = await w.live([mixed]);
    assert.equal((await w.settled(next, two)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['-c interrupted', '-a done']);
  });

  test('said twice, or while the flow reverts, changes nothing', async (w) => {
    const [forth, back] = [new Gate(), new Gate()];
    w.tools.on.c = forth.pass;
    w.tools.on['-c'] = back.pass;
    const life = await w.live([mixed]);
    const id = await w.begin(life, mixed, {});
    await forth.arrived;
    await life.engine.wish(id, 'cancel', 'enough');
    await back.arrived;
    assert.equal(await life.engine.wish(id, 'cancel', 'once more'), true);
    back.open();
    const row = await w.settled(life, id);
    assert.deepEqual([row.state, row.wish], ['reverted', null]);
    assert.deepEqual(w.tools.did, ['+a', '+c', '-c failed', '-a done']);
  });

  test('of a flow that has ended, or that nobody has begun, is refused', async (w) => {
    const life = await w.live([mixed]);
    const id = await w.begin(life, mixed, {});
    await w.settled(life, id);
    for (const wish of ['cancel', 'revert', 'resume'] as const) {
      assert.equal(await life.engine.wish(id, wish, ''), false);
      assert.equal(await life.engine.wish('nobody', wish, ''), false);
    }
  });

  const destroy = flow<object>('destroy')
    .add(makes('a'))
    .add(makes('destroy', { forwardOnly: true, retry: { tries: Number.POSITIVE_INFINITY, backoffMs: 1 } }))
    .add(makes('z'))
    .build({ version: 1 });

  test('before a task that only goes forward is heeded', async (w) => {
    const gate = new Gate();
    w.tools.on.a = gate.pass;
    const life = await w.live([destroy]);
    const id = await w.begin(life, destroy, {});
    await gate.arrived;
    await life.engine.wish(id, 'cancel', 'enough');
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', '-a failed']);
  });

  test('known before a task that only goes forward has begun is heeded', async (w) => {
    const gate = new Gate();
    w.tools.on.a = gate.passDeaf;
    const life = await w.live([destroy]);
    const id = await w.begin(life, destroy, {});
    await gate.arrived;
    await life.engine.wish(id, 'cancel', 'enough');
    gate.open();
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', '-a done']);
  });

  test('of a task that only goes forward is not heeded after a crash inside it', async (w) => {
    const first = await w.live([destroy]);
    w.tools.on.destroy = () => w.kill();
    const id = await w.begin(first, destroy, {});
    await first.journal.death;
    await first.die();
    delete w.tools.on.destroy;
    await w.ground.journal.wish(id, 'cancel', 'enough');
    const second = await w.live([destroy]);
    assert.equal((await w.settled(second, id)).state, 'success');
  });

  test('of a task that only goes forward is not heeded, nor after it', async (w) => {
    const gate = new Gate();
    w.tools.on.destroy = gate.pass;
    const life = await w.live([destroy]);
    const id = await w.begin(life, destroy, {});
    await gate.arrived;
    await life.engine.wish(id, 'cancel', 'enough');
    gate.open();
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(w.tools.did, ['+a', '+destroy', '+z']);
  });

  test('is not heeded by a task that only goes forward beside others', async (w) => {
    const beside = flow<object>('beside')
      .parallel(makes('x'), makes('destroy', { forwardOnly: true }))
      .build({ version: 1 });
    const gate = new Gate();
    w.tools.on.destroy = gate.pass;
    const life = await w.live([beside]);
    const id = await w.begin(life, beside, {});
    await gate.arrived;
    await life.engine.wish(id, 'cancel', 'enough');
    gate.open();
    assert.equal((await w.settled(life, id)).state, 'success');
  });

  test('is not enough for a task that only goes forward, but an operator’s revert is', async (w) => {
    w.tools.on.destroy = breaksTimes(Number.POSITIVE_INFINITY);
    const life = await w.live([destroy]);
    const id = await w.begin(life, destroy, {});
    await until(() => w.tools.did.length > 4, 'a few tries');
    await life.engine.wish(id, 'revert', 'by hand');
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(w.tools.did.slice(-2), ['-destroy failed', '-a done']);
  });

  test('of a flow that has only begun puts right what it owes from its beginning', async (w) => {
    const owing = flow<object>('owing').add(owes('one')).add(owes('two')).add(makes('a')).build({ version: 1 });
    const life = await w.live([owing], { concurrency: 0 });
    const id = await w.begin(life, owing, {});
    await life.engine.wish(id, 'cancel', 'enough');
    const next = await w.live([owing]);
    assert.equal((await w.settled(next, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, []);
    assert.deepEqual(await w.ground.rows(), { '-one': '1', '-two': '1' });
  });

  test('of a flow that has only begun reverts nothing', async (w) => {
    const life = await w.live([mixed], { concurrency: 0 });
    const id = await w.begin(life, mixed, {});
    assert.equal(await life.engine.wish(id, 'cancel', 'enough'), true);
    const next = await w.live([mixed]);
    assert.equal((await w.settled(next, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, []);
    assert.deepEqual(await w.story(id), ['a cancelled']);
  });
});
