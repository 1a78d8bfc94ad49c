import assert from 'node:assert/strict';
import { millis, now } from '../../src/lib/clock.ts';
import { Gate } from './gate.ts';
import { proveEngine, until } from './journals.ts';
import { counts, flow, makes } from './tasks.ts';

proveEngine('recovery', (test) => {
  const three = flow<object>('three').add(makes('a')).add(makes('b')).add(counts('c')).build({ version: 1 });

  test('starting takes up at once what the process left in its former life', async (w) => {
    const first = await w.live([three]);
    w.tools.on.b = () => w.kill();
    const id = await w.begin(first, three, {});
    await first.journal.death;
    await first.die();
    delete w.tools.on.b;
    const second = await w.live([three], { pollMs: 100_000 });
    assert.equal((await w.settled(second, id)).state, 'success');
    assert.deepEqual(w.tools.did, ['+a', '+b', '+b']);
    assert.ok(second.events.some((event) => event.is === 'flow-started' && event.recovered));
  });

  test('a living process adopts the flows of a dead one', async (w) => {
    const first = await w.live([three]);
    const second = await w.live([three]);
    w.tools.on.b = () => first.journal.die();
    const id = await w.begin(first, three, {});
    await first.journal.death;
    await first.engine.stop();
    delete w.tools.on.b;
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual(w.tools.did, ['+a', '+b'], 'it is not known to be dead');
    const adoptable = millis(now());
    await w.ground.living(first.engine.process, false);
    assert.equal((await w.settled(second, id)).state, 'success');
    const row = await w.ground.journal.find(id);
    assert.equal(row?.owner, null);
    const ended = second.events.find((event) => event.is === 'flow-ended');
    assert.ok(ended?.is === 'flow-ended' && ended.ms >= adoptable - millis(row?.createdAt ?? ''), 'since it began');
  });

  test('a task that fails when it is run again after a crash is undone as one that was interrupted', async (w) => {
    const first = await w.live([three]);
    w.tools.on.b = () => w.kill();
    const id = await w.begin(first, three, {});
    await first.journal.death;
    await first.die();
    w.tools.on.b = () => {
      throw new Error('Not now.');
    };
    const second = await w.live([three]);
    assert.equal((await w.settled(second, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', '+b', '+b', '-b interrupted', '-a done']);
    assert.equal((await w.failure(id, 'failed')).message, 'Not now.');
  });

  test('what the dead process was at is journaled, from when it was known to have begun until another took it up', async (w) => {
    const gate = new Gate();
    const begun = now();
    const first = await w.live([three], { doingIntervalMs: 5 });
    w.tools.on.b = gate.pass;
    const id = await w.begin(first, three, {});
    await until(async () => (await w.ground.journal.find(id))?.doing?.node === 'b', 'the note');
    const since = (await w.ground.journal.find(id))?.doing?.since ?? '';
    await Promise.all([first.die(), gate.open()]);
    const killed = await w.live([three]);
    w.tools.on.b = () => w.kill();
    await killed.journal.death;
    await killed.die();
    delete w.tools.on.b;
    const last = await w.live([three]);
    assert.equal((await w.settled(last, id)).state, 'success');
    assert.deepEqual(await w.story(id), ['a done', 'b interrupted', 'b interrupted', 'b done', 'c done']);
    const [, noted, unnoted, done] = await w.ground.journal.steps(id);
    assert.deepEqual([noted?.startedAt, noted?.data], [since, { reverting: false }]);
    assert.ok(begun <= since && since <= (noted?.at ?? ''), 'it has a length');
    assert.equal(unnoted?.startedAt, null, 'nobody knows when it began');
    assert.ok((unnoted?.at ?? '') <= (done?.startedAt ?? ''), 'before it was run again');
    assert.equal((await w.ground.journal.find(id))?.doing, null);
  });

  test('does not take lanes that are not its own', async (w) => {
    const sent = flow<object>('sent')
      .lane(() => 'host:h')
      .add(makes('a'))
      .build({ version: 1 });
    const host = await w.live([sent], { lanes: ['host:h'] });
    w.tools.on.a = () => w.kill();
    const id = await w.begin(host, sent, {});
    await host.journal.death;
    await host.die();
    delete w.tools.on.a;
    const other = await w.live([sent]);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual(other.engine.running(), []);
    other.engine.own('host:h');
    assert.equal((await w.settled(other, id)).state, 'success');
  });

  test('flows of a dead process in a lane that several own wait until what it did has an end, and no others do', async (w) => {
    const shared = flow<object>('shared')
      .lane(() => 'host:many')
      .add(makes('a'))
      .build({ version: 1 });
    const options = { lanes: ['host:many'] };
    const first = await w.live([shared, three], options);
    const fenced: string[] = [];
    let cannot = true;
    const second = await w.live([shared, three], {
      ...options,
      fence: async (process, lane) => {
        fenced.push(`${process} ${lane}`);
        if (cannot && lane === 'host:many') throw new Error('The cluster does not answer.');
      },
    });
    const gate = new Gate();
    w.tools.on.a = gate.passDeaf;
    const [waits, goesOn] = [await w.begin(first, shared, {}), await w.begin(first, three, {})];
    await until(() => w.tools.did.filter((each) => each === '+a').length === 2);
    first.journal.die();
    gate.open();
    await first.engine.stop();
    delete w.tools.on.a;
    await w.ground.living(first.engine.process, false);
    assert.equal((await w.settled(second, goesOn)).state, 'success');
    await until(() => fenced.filter((each) => each.endsWith('host:many')).length > 2);
    assert.equal((await w.ground.journal.find(waits))?.owner, first.engine.process);
    assert.ok(second.events.some((event) => event.is === 'journal-trouble' && event.resource === 'fence'));
    cannot = false;
    assert.equal((await w.settled(second, waits)).state, 'success');
    assert.ok(second.events.some((event) => event.is === 'journal-works' && event.resource === 'fence'));
    assert.deepEqual(
      new Set(fenced),
      new Set([`${first.engine.process} host:many`, `${first.engine.process} control`]),
    );
  });

  test('stop ends what listens to its signal and leaves flows where they stand', async (w) => {
    const gate = new Gate();
    w.tools.on.b = gate.pass;
    const first = await w.live([three]);
    const id = await w.begin(first, three, {});
    await gate.arrived;
    await first.engine.stop();
    assert.deepEqual(await w.story(id), ['a done']);
    const row = await w.ground.journal.find(id);
    assert.deepEqual([row?.state, row?.owner], ['running', first.engine.process]);
    await w.ground.living(first.engine.process, false);
    delete w.tools.on.b;
    const second = await w.live([three]);
    assert.equal((await w.settled(second, id)).state, 'success');
    assert.deepEqual(w.tools.did, ['+a', '+b', '+b']);
  });

  test('stop waits for what is deaf to its signal', async (w) => {
    const gate = new Gate();
    w.tools.on.a = gate.passDeaf;
    const life = await w.live([three]);
    await w.begin(life, three, {});
    await gate.arrived;
    let stopped = false;
    const stop = life.engine.stop().then(() => {
      stopped = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(stopped, false);
    gate.open();
    await stop;
    assert.deepEqual(w.tools.did, ['+a']);
  });

  test('a flow that was begun by an engine that stops is run by the next', async (w) => {
    const first = await w.live([three]);
    await first.engine.stop();
    const id = await w.begin(first, three, {});
    await w.ground.living(first.engine.process, false);
    const second = await w.live([three]);
    assert.equal((await w.settled(second, id)).state, 'success');
  });

  test('many flows left by a dead process are all taken up, a few at a time', async (w) => {
    const first = await w.live([three]);
    w.tools.on.b = () => w.kill();
    const ids: string[] = [];
    await w.ground.transaction(async (tx) => {
      for (let n = 0; n < 12; n += 1)
        ids.push(await first.engine.begin(tx, three, {}, { resource: 'r', projectId: 'p', requestId: 'q' }));
    });
    await first.journal.death;
    await first.die();
    delete w.tools.on.b;
    const second = await w.live([three], { concurrency: 3, pollMs: 100_000 });
    for (const id of ids) assert.equal((await w.settled(second, id)).state, 'success');
    assert.deepEqual(await w.ground.rows(), { c: '12' });
  });

  test('a flow whose steps cannot be read now is read later', async (w) => {
    const first = await w.live([three]);
    w.tools.on.b = () => w.kill();
    const ids = [await w.begin(first, three, {}), await w.begin(first, three, {})];
    await first.journal.death;
    await first.die();
    delete w.tools.on.b;
    const second = await w.live([three], { faults: { unreadable: 3 } });
    for (const id of ids) assert.equal((await w.settled(second, id)).state, 'success');
    assert.equal(second.events.filter(({ is }) => is === 'flow-started').length, 2);
  });

  test('settled ends with its signal', async (w) => {
    const gate = new Gate();
    w.tools.on.a = gate.pass;
    const life = await w.live([three]);
    const id = await w.begin(life, three, {});
    await gate.arrived;
    await assert.rejects(life.engine.settled(id, AbortSignal.timeout(5)), { name: 'TimeoutError' });
    gate.open();
    await until(async () => (await w.settled(life, id)).state === 'success');
  });
});
