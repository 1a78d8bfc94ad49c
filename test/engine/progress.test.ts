import assert from 'node:assert/strict';
import type { Copying, Waiting } from '../../src/engine/journal.ts';
import type { Copied, Wait } from '../../src/lib/progress.ts';
import { Gate } from './gate.ts';
import { proveEngine, until } from './journals.ts';
import { breaksTimes, type Call, flow, looks, makes } from './tasks.ts';

proveEngine('progress', (test) => {
  const two = flow<object>('two').add(makes('a')).add(looks('b')).build({ version: 1 });

  test('is told to listeners, thinned out, and its end always', async (w) => {
    w.tools.on.a = ({ context }: Call) => {
      for (let n = 1; n <= 1000; n += 1) context.progress?.(n / 1000);
    };
    const life = await w.live([two]);
    await w.settled(life, await w.begin(life, two, {}));
    const fractions = life.events.flatMap((event) => (event.is === 'task-progress' ? [event.fraction] : []));
    assert.equal(fractions[0], 0.001);
    assert.equal(fractions.at(-1), 1);
    assert.ok(fractions.length < 100, `${fractions.length} times`);
  });

  test('of what takes long is in the row for all to see, with the task and since when, until it ends', async (w) => {
    const gate = new Gate();
    w.tools.on.a = (call: Call) => {
      call.context.progress?.(0.25);
      return gate.pass(call);
    };
    const life = await w.live([two], { doingIntervalMs: 5 });
    const id = await w.begin(life, two, {});
    await until(async () => (await w.ground.journal.find(id))?.doing != null, 'the note');
    const doing = (await w.ground.journal.find(id))?.doing;
    assert.deepEqual([doing?.node, doing?.progress], ['a', 0.25]);
    const second = new Gate();
    w.tools.on.b = second.pass;
    gate.open();
    await second.arrived;
    await until(async () => (await w.ground.journal.find(id))?.doing?.node !== 'a', 'the next');
    second.open();
    await w.settled(life, id);
    await until(async () => (await w.ground.journal.find(id))?.doing === null, 'its end');
  });

  test('tells how much is copied, since when, and of what; what was there before is not its work', async (w) => {
    const told = Promise.withResolvers<(fraction: number, copied?: Copied) => void>();
    const gate = new Gate();
    w.tools.on.a = (call: Call) => {
      told.resolve((...how) => call.context.progress?.(...how));
      return gate.pass(call);
    };
    const life = await w.live([two], { doingIntervalMs: 5 });
    const id = await w.begin(life, two, {});
    const tell = await told.promise;
    const copying = async (bytes: number, of: number) => {
      let seen: Copying | undefined;
      tell(0.5, { bytes, of });
      await until(async () => {
        seen = (await w.ground.journal.find(id))?.doing?.copying;
        return seen?.bytes === bytes && seen.of === of;
      }, 'the note');
      return seen as Copying;
    };
    const first = await copying(30, 100);
    assert.deepEqual([first.from, first.since], [30, first.at]);
    const later = await copying(70, 100);
    assert.partialDeepStrictEqual(later, { from: 30, since: first.since });
    assert.ok(later.at > later.since);
    for (const another of [await copying(70, 90), await copying(10, 90)])
      assert.deepEqual([another.from, another.since], [another.bytes, another.at]);
    tell(0.9);
    await until(async () => (await w.ground.journal.find(id))?.doing?.progress === 0.9, 'the note');
    assert.equal((await w.ground.journal.find(id))?.doing?.copying, undefined);
    gate.open();
    await w.settled(life, id);
  });

  test('tells what it waits for, since when and why, until it goes on', async (w) => {
    const told = Promise.withResolvers<(wait: Wait | null) => void>();
    const gate = new Gate();
    w.tools.on.a = (call: Call) => {
      call.context.progress?.(0.5);
      told.resolve((wait) => call.context.waiting?.(wait));
      return gate.pass(call);
    };
    const life = await w.live([two], { doingIntervalMs: 5 });
    const id = await w.begin(life, two, {});
    const tell = await told.promise;
    const waiting = async (wait: Wait | null) => {
      let seen: Waiting | undefined;
      tell(wait);
      await until(async () => {
        const doing = (await w.ground.journal.find(id))?.doing;
        seen = doing?.waiting;
        return doing?.progress === 0.5 && seen?.what === wait?.what && seen?.why === wait?.why;
      }, 'the note');
      return seen;
    };
    const second = await waiting({ what: 'its turn', why: '2nd of 3' });
    const first = await waiting({ what: 'its turn', why: '1st of 2' });
    assert.equal(first?.since, second?.since, 'for the same it has waited all the while');
    const other = await waiting({ what: 'the store', why: 'it is full' });
    assert.ok((other?.since ?? '') > (first?.since ?? ''));
    await waiting(null);
    gate.open();
    await w.settled(life, id);
  });

  test('tells of one that failed, and is to be tried again, why', async (w) => {
    const again = flow<object>('again')
      .add(makes('a', { retry: { tries: 2, backoffMs: 600_000, maxBackoffMs: 600_000 } }))
      .build({ version: 1 });
    w.tools.on.a = breaksTimes(2, { transient: true });
    const life = await w.live([again], { doingIntervalMs: 5 });
    const id = await w.begin(life, again, {});
    await until(async () => (await w.ground.journal.find(id))?.doing?.waiting !== undefined, 'the note');
    const { what, why } = (await w.ground.journal.find(id))?.doing?.waiting ?? {};
    assert.deepEqual([what, why], ['another try', 'It broke.']);
    await life.engine.wish(id, 'cancel', 'enough');
    await w.settled(life, id);
  });

  test('of what is short costs no write', async (w) => {
    const life = await w.live([two]);
    const before = w.ground.commits();
    await w.settled(life, await w.begin(life, two, {}));
    assert.equal(w.ground.commits() - before, 3);
  });

  test('of a dead process is not shown once another has the flow', async (w) => {
    const gate = new Gate();
    w.tools.on.a = gate.pass;
    const first = await w.live([two], { doingIntervalMs: 5 });
    const id = await w.begin(first, two, {});
    await until(async () => (await w.ground.journal.find(id))?.doing != null, 'the note');
    await first.die();
    const again = new Gate();
    w.tools.on.a = again.pass;
    const second = await w.live([two]);
    await again.arrived;
    assert.equal((await w.ground.journal.find(id))?.doing, null);
    again.open();
    await w.settled(second, id);
  });
});
