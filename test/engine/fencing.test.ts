import assert from 'node:assert/strict';
import { Gate } from './gate.ts';
import { proveEngine, until } from './journals.ts';
import { Broken, counts, flow, makes } from './tasks.ts';

proveEngine('fencing', (test) => {
  const four = flow<object>('four')
    .add(counts('r'))
    .add(makes('a'))
    .add(counts('s'))
    .add(makes('b'))
    .build({ version: 1 });

  test('an owner that was frozen and thawed writes nothing, and its task was its last', async (w) => {
    const frozen = new Gate();
    w.tools.on.a = frozen.passDeaf;
    const first = await w.live([four]);
    const id = await w.begin(first, four, {});
    await frozen.arrived;
    await w.ground.living(first.engine.process, false);
    delete w.tools.on.a;
    const second = await w.live([four]);
    assert.equal((await w.settled(second, id)).state, 'success');
    const story = await w.story(id);
    const [did, rows] = [[...w.tools.did], await w.ground.rows()];
    assert.deepEqual(did, ['+a', '+a', '+b']);
    frozen.open();
    await until(() => first.events.some(({ is }) => is === 'flow-fenced'), 'the fence');
    await until(() => first.engine.running().length === 0, 'its end');
    assert.deepEqual([w.tools.did, await w.ground.rows(), await w.story(id)], [did, rows, story]);
  });

  test('an owner that thaws between its tasks does nothing more', async (w) => {
    const frozen = new Gate();
    const first = await w.live([four], { faults: { onWrite: (n) => (n === 0 ? frozen.passDeaf() : undefined) } });
    const id = await w.begin(first, four, {});
    await frozen.arrived;
    await w.ground.living(first.engine.process, false);
    const hold = new Gate();
    w.tools.on.a = hold.passDeaf;
    const second = await w.live([four]);
    await hold.arrived;
    frozen.open();
    await until(() => first.events.some(({ is }) => is === 'flow-fenced'), 'the fence');
    await until(() => first.engine.running().length === 0, 'its end');
    assert.deepEqual(w.tools.did, ['+a', '+a']);
    hold.open();
    assert.equal((await w.settled(second, id)).state, 'success');
    assert.deepEqual(await w.ground.rows(), { r: '1', s: '1' });
  });

  test('ends all that runs side by side', async (w) => {
    const pair = flow<object>('pair')
      .parallel(makes('x', { retry: { tries: 9, backoffMs: 1 } }), makes('y'))
      .build({ version: 1 });
    const [x, y] = [new Gate(), new Gate()];
    w.tools.on.x = async () => {
      await x.passDeaf();
      throw new Broken('again', { transient: true });
    };
    w.tools.on.y = y.pass;
    const first = await w.live([pair]);
    const id = await w.begin(first, pair, {});
    await Promise.all([x.arrived, y.arrived]);
    await w.ground.living(first.engine.process, false);
    delete w.tools.on.x;
    delete w.tools.on.y;
    const second = await w.live([pair]);
    assert.equal((await w.settled(second, id)).state, 'success');
    x.open();
    await until(() => first.engine.running().length === 0, 'the end of both');
    assert.deepEqual(w.tools.did, ['+x', '+y', '+x', '+y']);
  });

  test('a write under an old epoch, or after another’s write, is refused and leaves nothing', async (w) => {
    const gate = new Gate();
    w.tools.on.a = gate.passDeaf;
    const life = await w.live([four]);
    const id = await w.begin(life, four, {});
    await gate.arrived;
    const row = await w.ground.journal.find(id);
    const write = { steps: [], state: 'success', lane: 'control', ended: true, released: false } as const;
    for (const stale of [
      { id, epoch: 0, seq: 1 },
      { id, epoch: 2, seq: 1 },
      { id, epoch: 1, seq: 0 },
      { id: 'nobody', epoch: 1, seq: 1 },
    ]) {
      await assert.rejects(w.ground.journal.append(stale, write), { name: 'Fenced' });
      await assert.rejects(
        w.ground.journal.transact(stale, async (tx) => {
          await tx.put('stale', '1');
          return write;
        }),
        { name: 'Fenced' },
      );
    }
    assert.deepEqual(await w.ground.journal.find(id), row);
    assert.equal((await w.ground.rows()).stale, undefined);
    gate.open();
    assert.equal((await w.settled(life, id)).state, 'success');
  });

  test('does not spoil what others write in the same commit', async (w) => {
    const life = await w.live([four], { concurrency: 0 });
    const ids: string[] = [];
    for (const id of ['f1', 'f2', 'f3']) ids.push(await w.begin(life, four, {}, { id }));
    const write = { steps: [], state: 'running', lane: 'control', ended: false, released: false } as const;
    const results = await Promise.allSettled(
      ids.map((id, index) => w.ground.journal.append({ id, epoch: index === 1 ? 9 : 1, seq: 0 }, write)),
    );
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
  });
});
