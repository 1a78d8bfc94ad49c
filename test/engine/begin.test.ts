import assert from 'node:assert/strict';
import { Gate } from './gate.ts';
import { proveEngine, REQUEST } from './journals.ts';
import { flow, makes } from './tasks.ts';

proveEngine('beginning a flow', (test) => {
  const one = flow<{ n: number }>('one').add(makes('a')).build({ version: 1 });

  test('in a transaction that rolls back leaves nothing, and nothing runs', async (w) => {
    const life = await w.live([one]);
    const holds = [{ resource: 'volume:1', mode: 'exclusive' }] as const;
    await assert.rejects(
      w.ground.transaction(async (tx) => {
        await tx.count('row');
        await life.engine.begin(tx, one, { n: 1 }, { ...REQUEST, id: 'f', holds });
        throw new Error('over quota');
      }),
      { message: 'over quota' },
    );
    assert.equal(await w.ground.journal.find('f'), undefined);
    assert.deepEqual([await w.ground.holds(), await w.ground.rows()], [[], {}]);
    const id = await w.begin(life, one, { n: 2 });
    await w.settled(life, id);
    assert.deepEqual(w.tools.did, ['+a']);
  });

  test('is one with the rows of its transaction, and its first task finds them', async (w) => {
    const life = await w.live([one]);
    const found: unknown[] = [];
    w.tools.on.a = async () => found.push(await w.ground.rows());
    const id = await w.ground.transaction(async (tx) => {
      await tx.count('row');
      return life.engine.begin(tx, one, { n: 1 }, REQUEST);
    });
    await w.settled(life, id);
    assert.deepEqual(found, [{ row: '1' }]);
  });

  test('with an id that is there already is the same flow, running or ended', async (w) => {
    const life = await w.live([one]);
    const begin = (n: number) =>
      w.ground.transaction((tx) => life.engine.begin(tx, one, { n }, { ...REQUEST, id: 'same' }));
    assert.deepEqual(await Promise.all([begin(1), begin(2), begin(3)]), ['same', 'same', 'same']);
    await w.settled(life, 'same');
    assert.equal(await begin(4), 'same');
    assert.deepEqual((await w.settled(life, 'same')).input, { n: 1 });
    assert.deepEqual(w.tools.did, ['+a']);
  });

  test('twice in one transaction with one id is one flow', async (w) => {
    const life = await w.live([one]);
    await w.ground.transaction(async (tx) => {
      await life.engine.begin(tx, one, { n: 1 }, { ...REQUEST, id: 'same' });
      await life.engine.begin(tx, one, { n: 2 }, { ...REQUEST, id: 'same' });
    });
    assert.deepEqual((await w.settled(life, 'same')).input, { n: 1 });
    assert.deepEqual(w.tools.did, ['+a']);
  });

  test('lets who waits for it read its row once, when it has ended, or give up before', async (w) => {
    const life = await w.live([one]);
    const gate = new Gate();
    w.tools.on.a = gate.pass;
    const { journal } = life;
    const { find } = journal;
    let reads = 0;
    journal.find = (id) => {
      reads += 1;
      return find(id);
    };
    const id = await w.begin(life, one, { n: 1 });
    const settled = w.settled(life, id);
    const patience = new AbortController();
    const impatient = life.engine.settled(id, patience.signal);
    await gate.arrived;
    patience.abort(new Error('long enough'));
    await assert.rejects(impatient, { message: 'long enough' });
    gate.open();
    assert.deepEqual([(await settled).state, reads], ['success', 1]);
  });

  test('beyond the number of flows at once leaves it in the queue until there is room', async (w) => {
    const life = await w.live([one], { concurrency: 2, pollMs: 100_000 });
    const ids: string[] = [];
    for (let n = 0; n < 9; n += 1) ids.push(await w.begin(life, one, { n }));
    for (const id of ids) assert.equal((await w.settled(life, id)).state, 'success');
    assert.equal(w.tools.did.length, 9);
  });

  test('with an input that JSON does not carry is refused', async (w) => {
    const life = await w.live([one]);
    for (const n of [Number.NaN, 1n, () => 1, new Date(0), Symbol('x')])
      await assert.rejects(w.begin(life, one, { n: n as number }), { name: 'NotJson' });
    assert.deepEqual(await w.ground.journal.list({}), []);
  });

  test('that is not registered, or not in this version, is refused: no process could take it up', async (w) => {
    const life = await w.live([one]);
    const others = [
      flow<{ n: number }>('other').add(makes('a')).build({ version: 1 }),
      flow<{ n: number }>('one').add(makes('a')).build({ version: 2 }),
      flow<{ n: number }>('one').add(makes('a')).build({ version: 0 }),
    ];
    for (const other of others)
      await assert.rejects(w.begin(life, other, { n: 1 }), {
        name: 'UnknownFlow',
        message: new RegExp(`${other.name}@${other.version}`),
      });
    assert.deepEqual(await w.ground.journal.list({}), []);
  });
});
