import assert from 'node:assert/strict';
import type { Held, Hold } from '../../src/engine/journal.ts';
import { Gate } from './gate.ts';
import { type Life, proveEngine, REQUEST, until, type World } from './journals.ts';
import { breaks, flow, makes, owes } from './tasks.ts';

proveEngine('a hold', (test) => {
  const one = flow<object>('one').add(makes('a')).build({ version: 1 });
  const held = (resource: string, mode: Hold['mode']): readonly Hold[] => [{ resource, mode }];

  for (const [first, second, goes] of [
    ['shared', 'shared', true],
    ['exclusive', 'shared', false],
    ['exclusive', 'exclusive', false],
  ] as const) {
    test(`${first} ${goes ? 'lets another be' : 'refuses another that is'} ${second}`, async (w) => {
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
    const wanted = [...held('c', 'exclusive'), ...held('b', 'shared')];
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
      ['g', 'y', 'exclusive'],
    ] as const;
    const begun = await Promise.allSettled(
      asked.map(([id, resource, mode]) =>
        w.ground.transaction(async (tx) => {
          await tx.put(id, 'wrote');
          await life.engine.begin(tx, one, {}, { ...REQUEST, id, holds: held(resource, mode) });
        }),
      ),
    );
    const ends = begun.map((each) => (each.status === 'fulfilled' ? 'begins' : (each.reason as Held).by.flowId));
    assert.deepEqual(ends, ['begins', 'a', 'a', 'begins', 'begins', 'begins', 'f']);
    assert.deepEqual(await w.ground.rows(), { a: 'wrote', d: 'wrote', e: 'wrote', f: 'wrote' });
    assert.deepEqual(await w.ground.holds(), ['x exclusive', 'y exclusive, waited for', 'y shared', 'y shared']);
    gate.open();
    for (const { id } of await w.ground.journal.list({})) await w.settled(life, id);
    assert.deepEqual(w.tools.did, ['+a', '+a', '+a', '+a']);
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

  test('that others share is waited for by who wants it alone, whoever of them ends last', async (w) => {
    const gates = { first: new Gate(), second: new Gate() };
    const sharing = (name: 'first' | 'second') => {
      w.tools.on[name] = gates[name].pass;
      return flow<object>(name).add(makes(name)).build({ version: 1 });
    };
    const sharers = [sharing('first'), sharing('second')] as const;
    const life = await w.live([one, ...sharers]);
    for (const each of sharers) await w.begin(life, each, {}, { id: each.name, holds: held('x', 'shared') });
    const wanted = [...held('x', 'exclusive'), ...held('y', 'exclusive')];
    const id = await w.begin(life, one, {}, { holds: wanted });
    await assertWaits(w, id);
    assert.deepEqual(await w.ground.holds(), [
      'x exclusive, waited for',
      'x shared',
      'x shared',
      'y exclusive, waited for',
    ]);
    gates.second.open();
    await w.settled(life, 'second');
    await looksTwice(life);
    await assertWaits(w, id);
    gates.first.open();
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(w.tools.did, ['+first', '+second', '+a']);
    assert.deepEqual(await w.ground.holds(), []);
  });

  test('that is waited for keeps who wants it alone away, and not who shares it', async (w) => {
    const gate = new Gate();
    w.tools.on.b = gate.pass;
    const sharer = flow<object>('sharer').add(makes('b')).build({ version: 1 });
    const life = await w.live([one, sharer]);
    await w.begin(life, sharer, {}, { holds: held('x', 'shared') });
    const id = await w.begin(life, one, {}, { holds: held('x', 'exclusive') });
    await assert.rejects(w.begin(life, one, {}, { holds: held('x', 'exclusive') }), {
      name: 'Held',
      by: { flowId: id, name: 'one' },
    });
    await w.begin(life, sharer, {}, { holds: held('x', 'shared') });
    gate.open();
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(w.tools.did, ['+b', '+b', '+a']);
  });

  test('is given to those that wait for each other, one after another', async (w) => {
    const gate = new Gate();
    w.tools.on.b = gate.pass;
    const sharer = flow<object>('sharer').add(makes('b')).build({ version: 1 });
    const life = await w.live([one, sharer]);
    await w.begin(life, sharer, {}, { holds: [...held('x', 'shared'), ...held('y', 'shared')] });
    const ids = [
      await w.begin(life, one, {}, { holds: [...held('x', 'exclusive'), ...held('y', 'shared')] }),
      await w.begin(life, one, {}, { holds: [...held('y', 'exclusive')] }),
    ];
    for (const id of ids) await assertWaits(w, id);
    gate.open();
    for (const id of ids) assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(await w.ground.holds(), []);
  });

  test('that is waited for is given after a crash, and by a process that knew nothing of it', async (w) => {
    const sharer = flow<object>('sharer').add(makes('b')).build({ version: 1 });
    w.tools.on.b = new Gate().pass;
    const first = await w.live([one, sharer]);
    await w.begin(first, sharer, {}, { holds: held('x', 'shared') });
    const id = await w.begin(first, one, {}, { holds: held('x', 'exclusive') });
    await assertWaits(w, id);
    await first.die();
    delete w.tools.on.b;
    const second = await w.live([one, sharer], { ground: await w.ground.other() });
    assert.equal((await w.settled(second, id)).state, 'success');
    assert.deepEqual(w.tools.did, ['+b', '+b', '+a']);
    assert.equal((await w.ground.journal.find(id))?.claims, 0, 'no death counts against who only waited');
  });

  for (const wish of ['cancel', 'revert'] as const) {
    test(`is waited for no more by a flow that is told to ${wish}, which ends without it`, async (w) => {
      const gate = new Gate();
      w.tools.on.b = gate.pass;
      const sharer = flow<object>('sharer').add(makes('b')).build({ version: 1 });
      const owing = flow<object>('owing').add(owes('debt')).add(makes('a')).build({ version: 1 });
      const life = await w.live([owing, sharer]);
      await w.begin(life, sharer, {}, { holds: held('x', 'shared') });
      const id = await w.begin(life, owing, {}, { holds: held('x', 'exclusive') });
      assert.equal(await life.engine.wish(id, wish, 'Not any more.'), true);
      assert.equal((await w.settled(life, id)).state, 'reverted');
      assert.deepEqual(w.tools.did, ['+b'], 'nothing of it ran');
      assert.deepEqual(await w.ground.rows(), { '-debt': '1' });
      assert.deepEqual(await w.ground.holds(), ['x shared']);
      gate.open();
    });
  }

  test('is waited for without a commit, and given with one', async (w) => {
    const gate = new Gate();
    w.tools.on.b = gate.pass;
    const sharer = flow<object>('sharer').add(makes('b')).build({ version: 1 });
    const life = await w.live([one, sharer]);
    const other = await w.begin(life, sharer, {}, { holds: held('x', 'shared') });
    const id = await w.begin(life, one, {}, { holds: held('x', 'exclusive') });
    await gate.arrived;
    const before = w.ground.commits();
    await looksTwice(life);
    if (w.kind !== 'memory') assert.equal(w.ground.commits(), before);
    gate.open();
    await w.settled(life, other);
    await w.settled(life, id);
    // The end of who shared, the holds, the claim, the end. In memory each look is a transaction.
    if (w.kind !== 'memory') assert.equal(w.ground.commits() - before, 4);
  });
});

/** The second begins when what was there before the first is over. */
async function looksTwice(life: Life): Promise<void> {
  const seen = life.journal.looks;
  await until(() => life.journal.looks >= seen + 2);
}

async function assertWaits(w: World, id: string): Promise<void> {
  const row = await w.ground.journal.find(id);
  assert.deepEqual([row?.lane, row?.owner, row?.state, row?.seq], ['holds', null, 'pending', 0]);
}
