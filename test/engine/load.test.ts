import assert from 'node:assert/strict';
import { Gate } from './gate.ts';
import { type Life, proveEngine, until, type World } from './journals.ts';
import { flow, looks, makes, record } from './tasks.ts';

const FLOWS = 60;
/** A row of its own, so that flows do not wait for each other's. */
const counts = (name: string) =>
  record({ name, execute: (_: object, { tx, flowId }) => tx.count(`${flowId} ${name}`) });

proveEngine('two processes on one database', (test) => {
  const crossing = flow<{ host: string }>('crossing')
    .add(counts('a'))
    .add(makes('here'))
    .add(counts('b'))
    .lane(({ host }) => `host:${host}`)
    .add(makes('there'))
    .add(counts('c'))
    .build({ version: 1 });

  test('run each flow once under load, each its own lane', async (w) => {
    const one = await w.live([crossing], { lanes: ['host:one'], concurrency: 20 });
    const two = await w.live([crossing], { lanes: ['host:two'], concurrency: 20, ground: await w.ground.other() });
    await Promise.all(
      Array.from({ length: FLOWS }, (_, n) =>
        w.begin(n % 2 ? one : two, crossing, { host: n % 3 ? 'one' : 'two' }, { id: `f${n}` }),
      ),
    );
    for (let n = 0; n < FLOWS; n += 1) assert.equal((await w.settled(one, `f${n}`)).state, 'success');
    await assertOnce(w, FLOWS);
    assert.equal(w.tools.did.length, 2 * FLOWS);
    for (const life of [one, two]) {
      const bad = life.events.filter(({ is }) => is === 'journal-trouble' || is === 'flow-fenced');
      assert.deepEqual(bad, []);
    }
    const went = (life: Life): boolean =>
      life.events.some((event) => event.is === 'task-started' && event.task === 'there');
    assert.ok(went(one) && went(two));
  });

  test('lose nothing when one dies under load and the other takes over', async (w) => {
    const one = await w.live([crossing], { lanes: ['host:one'] });
    const two = await w.live([crossing], { lanes: ['host:two'], ground: await w.ground.other() });
    const begun = Array.from({ length: FLOWS }, (_, n) =>
      w.begin(n % 2 ? one : two, crossing, { host: n % 3 ? 'one' : 'two' }, { id: `f${n}` }).catch(() => undefined),
    );
    await until(() => w.tools.did.length > FLOWS / 4, 'some work');
    await one.die();
    two.engine.own('host:one');
    const ids = (await Promise.all(begun)).filter((id) => id !== undefined);
    assert.ok(ids.length >= FLOWS / 2);
    for (const id of ids) assert.equal((await w.settled(two, id)).state, 'success');
    await assertOnce(w, (await w.ground.journal.list({})).length);
  });
});

proveEngine('flows that wait aside', (test) => {
  const copying = flow<object>('copying').add(looks('copy')).build({ version: 1 });
  const blank = flow<object>('blank').add(looks('make')).build({ version: 1 });

  test('let others run in their place, and go on when they are let', async (w) => {
    const life = await w.live([copying, blank], { concurrency: 2, pollMs: 100_000 });
    const turn = new Gate();
    w.tools.on.copy = ({ context }) => context.aside?.(turn.opened);
    const waiting = await Promise.all(Array.from({ length: 7 }, () => w.begin(life, copying, {})));
    await until(() => w.tools.did.length === waiting.length, 'all of them wait');
    for (let n = 0; n < 3; n += 1) {
      const id = await w.begin(life, blank, {});
      assert.equal((await w.settled(life, id)).state, 'success');
    }
    turn.open();
    for (const id of waiting) assert.equal((await w.settled(life, id)).state, 'success');
  });

  test('end like any other when they are cancelled, and leave no place too many', async (w) => {
    const life = await w.live([copying, blank], { concurrency: 1, pollMs: 100_000 });
    const turn = new Gate();
    w.tools.on.copy = ({ context }) => context.aside?.(turn.pass({ context }));
    const waiting = await w.begin(life, copying, {});
    await turn.arrived;
    await life.engine.wish(waiting, 'cancel', 'no need');
    assert.equal((await w.settled(life, waiting)).state, 'reverted');
    const work = new Gate();
    w.tools.on.make = work.pass;
    const first = await w.begin(life, blank, {});
    await work.arrived;
    const others = await Promise.all([w.begin(life, blank, {}), w.begin(life, blank, {})]);
    assert.deepEqual(life.engine.running(), [first]);
    work.open();
    for (const id of [first, ...others]) assert.equal((await w.settled(life, id)).state, 'success');
  });
});

async function assertOnce(w: World, flows: number): Promise<void> {
  const rows = Object.entries(await w.ground.rows());
  assert.equal(rows.length, 3 * flows);
  assert.deepEqual(
    rows.filter(([, times]) => times !== '1'),
    [],
  );
}
