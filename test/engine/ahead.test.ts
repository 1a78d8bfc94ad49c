/** What a flow does in the transaction that begins it. */
import assert from 'node:assert/strict';
import { Gate } from './gate.ts';
import { proveEngine, REQUEST, until } from './journals.ts';
import { breaks, counts, flow, makes, owes, record } from './tasks.ts';

proveEngine('a flow goes on in the transaction that begins it', (test) => {
  const mixed = flow<object>('mixed')
    .add(owes('owed'))
    .add(counts('a'))
    .add(makes('b'))
    .add(counts('c'))
    .build({ version: 1 });

  test('up to its first world task, whatever becomes of the process', async (w) => {
    const life = await w.live([mixed], { faults: { crash: { write: 0, moment: 'before' } } });
    const before = w.ground.commits();
    const id = await w.begin(life, mixed, {});
    assert.equal(w.ground.commits() - before, 1);
    assert.deepEqual(await w.ground.rows(), { a: '1' });
    const row = await w.ground.journal.find(id);
    assert.deepEqual([row?.state, row?.seq, await w.story(id)], ['running', 2, ['owed done', 'a done']]);
    await life.journal.death;
    await life.die();
    const next = await w.live([mixed]);
    assert.equal((await w.settled(next, id)).state, 'success');
    assert.deepEqual(await w.ground.rows(), { a: '1', c: '1' });
  });

  test('when the caller has done all else in it', async (w) => {
    const look = record({
      name: 'look',
      execute: async (_: object, { tx }) => ({ seen: (await tx.get('late')) ?? '' }),
    });
    const looking = flow<object>('looking').add(look).add(makes('b')).build({ version: 1 });
    const life = await w.live([looking]);
    const id = await w.ground.transaction(async (tx) => {
      const begun = await life.engine.begin(tx, looking, {}, REQUEST);
      await tx.put('late', 'there');
      return begun;
    });
    await w.settled(life, id);
    assert.deepEqual((await w.ground.journal.steps(id))[0]?.data, { seen: 'there' });
  });

  test('and tells of it once, in order, when that has committed', async (w) => {
    const life = await w.live([mixed]);
    const held = { resource: 'x', mode: 'exclusive' } as const;
    await w.settled(life, await w.begin(life, mixed, {}, { holds: [held] }));
    const told = life.events.map((event) => ('task' in event ? `${event.is} ${event.task}` : event.is));
    assert.deepEqual(told, [
      'flow-started',
      'task-done owed',
      'task-done a',
      'task-started b',
      'task-done b',
      'task-done c',
      'flow-ended',
    ]);
    const failing = life.engine.begin.bind(life.engine);
    await assert.rejects(
      w.ground.transaction(async (tx) => {
        await failing(tx, mixed, {}, REQUEST);
        throw new Error('over quota');
      }),
    );
    assert.deepEqual([await w.ground.rows(), life.events.length], [{ a: '1', c: '1' }, told.length]);
  });

  test('to its end, when it needs no world: it holds nothing then', async (w) => {
    const records = flow<object>('records').add(counts('a')).add(counts('b')).build({ version: 1 });
    const life = await w.live([records]);
    const before = w.ground.commits();
    const id = await w.begin(life, records, {}, { holds: [{ resource: 'x', mode: 'exclusive' }] });
    assert.equal(w.ground.commits() - before, 1);
    const row = await w.ground.journal.find(id);
    assert.deepEqual([row?.state, row?.owner, row?.endedAt !== null], ['success', null, true]);
    assert.deepEqual([await w.ground.rows(), await w.ground.holds()], [{ a: '1', b: '1' }, []]);
    await until(() => life.events.some(({ is }) => is === 'flow-ended'), 'its end');
  });

  test('to the lane of another process, which goes on with it', async (w) => {
    const far = flow<object>('far')
      .add(counts('a'))
      .lane(() => 'host:far')
      .add(makes('b'))
      .build({ version: 1 });
    const here = await w.live([far]);
    const id = await w.begin(here, far, {});
    const row = await w.ground.journal.find(id);
    assert.deepEqual([row?.lane, row?.owner, row?.seq], ['host:far', null, 2]);
    await until(() => here.engine.running().length === 0, 'its release');
    assert.deepEqual(here.events.map(({ is }) => is).slice(-1), ['flow-released']);
    const there = await w.live([far], { lanes: ['host:far'] });
    assert.equal((await w.settled(there, id)).state, 'success');
    assert.deepEqual(await w.ground.rows(), { a: '1' });
  });

  test('unless a record fails there: then the caller’s rows stand, and the flow is undone by itself', async (w) => {
    const failing = flow<object>('failing').add(counts('a')).add(counts('bad')).add(makes('b')).build({ version: 1 });
    w.tools.on.bad = breaks('no room');
    const life = await w.live([failing]);
    const hooks: string[] = [];
    const id = await w.ground.transaction(async (tx) => {
      await tx.count('row');
      tx.onCommit(() => hooks.push('committed'));
      return life.engine.begin(tx, failing, {}, REQUEST);
    });
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(await w.ground.rows(), { '-a': '1', '-bad': '1', a: '1', row: '1' });
    assert.deepEqual([hooks, (await w.failure(id, 'failed')).message], [['committed'], 'no room']);
  });

  test('unless it has to wait for its holds: nothing of it is done until it has them', async (w) => {
    const gate = new Gate();
    w.tools.on.s = gate.pass;
    const sharer = flow<object>('sharer').add(makes('s')).build({ version: 1 });
    const life = await w.live([mixed, sharer]);
    const other = await w.begin(life, sharer, {}, { holds: [{ resource: 'x', mode: 'shared' }] });
    const id = await w.begin(life, mixed, {}, { holds: [{ resource: 'x', mode: 'exclusive' }] });
    assert.deepEqual([await w.story(id), await w.ground.rows()], [[], {}]);
    gate.open();
    await w.settled(life, other);
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(await w.ground.rows(), { a: '1', c: '1' });
  });

  test('once, when a flow with its id is there already', async (w) => {
    const life = await w.live([mixed]);
    const begin = () => w.ground.transaction((tx) => life.engine.begin(tx, mixed, {}, { ...REQUEST, id: 'same' }));
    await Promise.all([begin(), begin()]);
    await w.settled(life, 'same');
    await begin();
    assert.deepEqual(await w.ground.rows(), { a: '1', c: '1' });
  });
});
