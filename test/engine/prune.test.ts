import assert from 'node:assert/strict';
import { fromNow } from '../../src/lib/clock.ts';
import { Gate } from './gate.ts';
import { proveEngine, until } from './journals.ts';
import { flow, makes } from './tasks.ts';

proveEngine('pruning', (test) => {
  const one = flow<object>('one').add(makes('a')).build({ version: 1 });

  test('forgets ended flows with their steps, in bites, the oldest first, and no other', async (w) => {
    const life = await w.live([one]);
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) {
      ids.push(await w.begin(life, one, {}));
      await w.settled(life, ids[n] as string);
    }
    const gate = new Gate();
    w.tools.on.a = gate.pass;
    const running = await w.begin(life, one, {});
    await gate.arrived;
    const { journal } = w.ground;
    assert.equal(await journal.prune(fromNow(-60_000), 99), 0);
    assert.equal(await journal.prune(fromNow(1_000), 3), 3);
    const left = (await journal.list({})).map(({ id }) => id);
    assert.deepEqual(new Set(left), new Set([...ids.slice(3), running]));
    assert.deepEqual(await journal.steps(ids[0] as string), []);
    assert.equal(await journal.prune(fromNow(1_000), 3), 2);
    assert.equal(await journal.prune(fromNow(1_000), 3), 0);
    gate.open();
    assert.equal((await w.settled(life, running)).state, 'success');
  });

  test('is done by the engine, as long after their end as is configured', async (w) => {
    const keeping = await w.live([one]);
    const id = await w.begin(keeping, one, {});
    await w.settled(keeping, id);
    await until(() => keeping.engine.running().length === 0);
    await keeping.die();
    const eager = await w.live([one], { keepEndedDays: -1 });
    await until(async () => (await w.ground.journal.find(id)) === undefined, 'its end');
    assert.equal(eager.events.filter(({ is }) => is === 'journal-trouble').length, 0);
  });
});
