import assert from 'node:assert/strict';
import type { Held, Hold } from '../../src/engine/journal.ts';
import { Gate } from './gate.ts';
import { proveEngine, REQUEST } from './journals.ts';
import { breaks, flow, makes } from './tasks.ts';

proveEngine('a hold', (test) => {
  const one = flow<object>('one').add(makes('a')).build({ version: 1 });
  const held = (resource: string, mode: Hold['mode']): readonly Hold[] => [{ resource, mode }];

  for (const [first, second, goes] of [
    ['shared', 'shared', true],
    ['shared', 'exclusive', false],
    ['exclusive', 'shared', false],
    ['exclusive', 'exclusive', false],
  ] as const) {
    test(`${first} ${goes ? 'lets' : 'does not let'} another be ${second}`, async (w) => {
      const gate = new Gate();
      w.tools.on.a = gate.pass;
      const life = await w.live([one]);
      const id = await w.begin(life, one, {}, { holds: held('volume:1', first) });
      const other = w.begin(life, one, {}, { holds: held('volume:1', second) });
      if (goes) await other;
      else {
        await assert.rejects(other, { name: 'Held', resource: 'volume:1', by: { flowId: id, name: 'one' } });
        assert.equal((await w.ground.journal.list({})).length, 1, 'its flow was not begun');
      }
      await w.begin(life, one, {}, { holds: held('volume:2', second) });
      gate.open();
      for (const { id } of await w.ground.journal.list({})) await w.settled(life, id);
      assert.deepEqual(await w.ground.holds(), []);
      await w.begin(life, one, {}, { holds: held('volume:1', second) });
    });
  }

  test('that is refused leaves nothing of its transaction', async (w) => {
    const gate = new Gate();
    w.tools.on.a = gate.pass;
    const life = await w.live([one]);
    await w.begin(life, one, {}, { holds: held('b', 'exclusive') });
    const wanted = [...held('a', 'exclusive'), ...held('b', 'shared')];
    await assert.rejects(
      w.ground.transaction(async (tx) => {
        await tx.put('before', 'x');
        await life.engine.begin(tx, one, {}, { ...REQUEST, id: 'refused', holds: wanted });
        await tx.put('after', 'x');
      }),
      { name: 'Held', resource: 'b' },
    );
    assert.equal(await w.ground.journal.find('refused'), undefined);
    assert.deepEqual(await w.ground.holds(), ['b exclusive']);
    assert.deepEqual(await w.ground.rows(), {});
    assert.deepEqual(life.engine.running(), [(await w.ground.journal.list({}))[0]?.id]);
  });

  test('is refused as whoever begins the flow words it', async (w) => {
    w.tools.on.a = new Gate().pass;
    const life = await w.live([one]);
    const holds = held('volume:1', 'exclusive');
    const id = await w.begin(life, one, {}, { holds });
    const refusal = ({ resource, by }: Held): Error => new RangeError(`${resource} is in use by ${by.flowId}`);
    await assert.rejects(w.begin(life, one, {}, { holds, refusal }), new RangeError(`volume:1 is in use by ${id}`));
  });

  test('of flows that begin in one commit goes to the first that asks', async (w) => {
    const gate = new Gate();
    w.tools.on.a = gate.pass;
    const life = await w.live([one]);
    const asked = [
      ['a', 'x', 'exclusive'],
      ['b', 'x', 'exclusive'],
      ['c', 'x', 'shared'],
      ['d', 'y', 'shared'],
      ['e', 'y', 'shared'],
      ['f', 'y', 'exclusive'],
    ] as const;
    const begun = await Promise.allSettled(
      asked.map(([id, resource, mode]) =>
        w.ground.transaction(async (tx) => {
          await tx.put(id, 'wrote');
          await life.engine.begin(tx, one, {}, { ...REQUEST, id, holds: held(resource, mode) });
        }),
      ),
    );
    const ends = begun.map((each) => (each.status === 'fulfilled' ? 'goes' : (each.reason as Held).by.flowId));
    assert.deepEqual(ends.slice(0, 5), ['goes', 'a', 'a', 'goes', 'goes']);
    assert.ok(ends[5] === 'd' || ends[5] === 'e');
    assert.deepEqual(await w.ground.rows(), { a: 'wrote', d: 'wrote', e: 'wrote' });
    gate.open();
    for (const { id } of await w.ground.journal.list({})) await w.settled(life, id);
    assert.deepEqual(w.tools.did, ['+a', '+a', '+a']);
    assert.deepEqual(await w.ground.holds(), []);
  });

  test('is not in the way of its own flow when that is begun again', async (w) => {
    const gate = new Gate();
    w.tools.on.a = gate.pass;
    const life = await w.live([one]);
    const holds = held('volume:1', 'exclusive');
    await w.begin(life, one, {}, { id: 'same', holds });
    assert.deepEqual(
      await w.ground.transaction((tx) => life.engine.begin(tx, one, {}, { ...REQUEST, id: 'same', holds })),
      'same',
    );
  });

  for (const end of ['success', 'reverted']) {
    test(`is kept until the last commit of the flow (${end}), over a crash, and by no clock`, async (w) => {
      const two = flow<object>('two').add(makes('a')).add(makes('b')).build({ version: 1 });
      const first = await w.live([two]);
      w.tools.on.b = () => w.kill();
      const id = await w.begin(first, two, {}, { holds: held('volume:1', 'exclusive') });
      await first.journal.death;
      await first.die();
      assert.deepEqual(await w.ground.holds(), ['volume:1 exclusive']);
      if (end === 'reverted') w.tools.on.b = breaks();
      else delete w.tools.on.b;
      const gate = new Gate();
      const last = end === 'reverted' ? '-a' : 'b';
      w.tools.on[last] = gate.pass;
      const second = await w.live([two]);
      await gate.arrived;
      assert.deepEqual(await w.ground.holds(), ['volume:1 exclusive']);
      gate.open();
      assert.equal((await w.settled(second, id)).state, end);
      assert.deepEqual(await w.ground.holds(), []);
    });
  }

  test('of two requests at once is given to one', async (w) => {
    const gate = new Gate();
    w.tools.on.a = gate.pass;
    const life = await w.live([one]);
    const asked = await Promise.allSettled(
      Array.from({ length: 8 }, () => w.begin(life, one, {}, { holds: held('volume:1', 'exclusive') })),
    );
    assert.equal(asked.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.deepEqual(await w.ground.holds(), ['volume:1 exclusive']);
  });
});
