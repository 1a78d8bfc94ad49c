import assert from 'node:assert/strict';
import type { AnyFlow } from '../../src/engine/flow.ts';
import { proveEngine, type World } from './journals.ts';
import { breaks, type Call, counts, flow, makes } from './tasks.ts';

const built = (version: number, ...names: readonly string[]): AnyFlow => {
  const builder = flow<object>('f') as unknown as {
    add(task: unknown): void;
    lane(to: () => string): void;
    build(options: { version: number }): AnyFlow;
  };
  for (const name of names) {
    if (name.startsWith('lane:')) builder.lane(() => name.slice('lane:'.length));
    else builder.add(name.startsWith('r') ? counts(name) : makes(name));
  }
  return builder.build({ version });
};

/** Runs the flow until the process dies inside the task. */
async function dies(w: World, old: AnyFlow, inside: string, lanes: readonly string[] = []): Promise<string> {
  const life = await w.live([old], { lanes });
  const before = w.tools.on[inside];
  w.tools.on[inside] = () => w.kill();
  const id = await w.begin(life, old, {});
  await life.journal.death;
  await life.die();
  if (before) w.tools.on[inside] = before;
  else delete w.tools.on[inside];
  w.tools.did.length = 0;
  return id;
}

proveEngine('new code and old flows', (test) => {
  test('the old version goes on when it is registered beside the new', async (w) => {
    const old = built(1, 'a', 'b', 'c');
    const id = await dies(w, old, 'b');
    const life = await w.live([built(2, 'x', 'y'), old]);
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(w.tools.did, ['+b', '+c']);
  });

  test('steps that are a prefix of the new tasks go on with them', async (w) => {
    const id = await dies(w, built(1, 'a', 'b', 'c'), 'b');
    const life = await w.live([built(2, 'a', 'b', 'new', 'c')]);
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(w.tools.did, ['+b', '+new', '+c']);
  });

  test('else the flow is taken back, what was interrupted first', async (w) => {
    const seen: unknown[] = [];
    w.tools.on['-a'] = ({ input, context }: Call) => seen.push([input, context.failures[0]?.name]);
    const id = await dies(w, built(1, 'a', 'r', 'b', 'c'), 'b');
    const life = await w.live([built(2, 'first', 'a', 'r', 'b')]);
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['-b interrupted', '-a done']);
    assert.deepEqual(seen, [[{ a: 'a!' }, 'Interrupted']]);
    assert.deepEqual(await w.ground.rows(), { '-r': '1', r: '1' });
  });

  test('a flow that was reverting goes on reverting, with its own failure', async (w) => {
    const seen: unknown[] = [];
    w.tools.on.c = breaks('no room');
    w.tools.on['-a'] = ({ context }: Call) => seen.push(context.failures.map(({ name }) => name));
    const id = await dies(w, built(1, 'a', 'b', 'c'), '-b');
    const life = await w.live([built(2, 'first', 'a', 'b')]);
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['-b done', '-a done']);
    assert.deepEqual(seen, [['Broken', 'Interrupted']]);
  });

  test('a flow that is taken back over several crashes reverts each task', async (w) => {
    const id = await dies(w, built(1, 'a', 'b', 'c', 'd'), 'd');
    const next = built(2, 'first', 'a', 'b', 'c', 'd');
    for (const name of ['-c', '-b', '-a']) {
      w.tools.on[name] = () => w.kill();
      const life = await w.live([next]);
      await life.journal.death;
      await life.die();
      delete w.tools.on[name];
    }
    const life = await w.live([next]);
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['-d interrupted', '-c done', '-c done', '-b done', '-b done', '-a done', '-a done']);
  });

  test('a task that ran in a lane is taken back in it', async (w) => {
    const id = await dies(w, built(1, 'a', 'lane:host:h', 'b', 'c'), 'c', ['host:h']);
    const next = built(2, 'first', 'a', 'lane:host:h', 'b', 'c');
    const control = await w.live([next]);
    const by: string[] = [];
    const host = await w.live([next]);
    host.engine.disown('control');
    for (const name of ['-a', '-b', '-c'])
      w.tools.on[name] = () => {
        if (control.engine.running().includes(id)) by.push(`${name} control`);
        if (host.engine.running().includes(id)) by.push(`${name} host`);
      };
    host.engine.own('host:h');
    assert.equal((await w.settled(control, id)).state, 'reverted');
    assert.deepEqual(by, ['-c host', '-b host', '-a control']);
  });

  test('what nobody knows how to revert keeps the process from starting, and is named', async (w) => {
    const id = await dies(w, built(1, 'a', 'b', 'c'), 'c');
    await assert.rejects(w.live([built(2, 'a', 'c')]), {
      name: 'UnknownFlow',
      message: new RegExp(`${id} \\(f@1\\) ran b`),
    });
    assert.deepEqual(w.tools.did, [], 'nothing has run');
  });

  test('a task that is gone but was reverted already is not missed', async (w) => {
    w.tools.on.c = breaks('no room');
    const id = await dies(w, built(1, 'a', 'b', 'c'), '-a');
    const life = await w.live([built(2, 'first', 'a')]);
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['-a done']);
  });

  test('a flow that nobody knows keeps the process from starting', async (w) => {
    const id = await dies(w, built(1, 'a'), 'a');
    await assert.rejects(w.live([]), { name: 'UnknownFlow', message: new RegExp(id) });
  });

  test('a flow of a version yet to come keeps the old code from starting', async (w) => {
    const id = await dies(w, built(2, 'a'), 'a');
    await assert.rejects(w.live([built(1, 'a')]), { name: 'UnknownFlow', message: new RegExp(id) });
  });

  test('a living process of the old code leaves flows of the new to the new', async (w) => {
    const lane = flow<object>('lane').add(makes('a')).build({ version: 1 });
    const old = await w.live([lane]);
    const young = await w.live([lane, built(2, 'b')], { concurrency: 0 });
    const id = await w.begin(young, built(2, 'b'), {});
    await new Promise((resolve) => setTimeout(resolve, 40));
    assert.deepEqual([(await w.ground.journal.find(id))?.owner, old.engine.running()], [null, []]);
    assert.ok(!old.events.some(({ is }) => is === 'journal-trouble'));
    const able = await w.live([lane, built(2, 'b')]);
    assert.equal((await w.settled(able, id)).state, 'success');
  });

  test('two flows of one name and version are refused', async (w) => {
    await assert.rejects(w.live([built(1, 'a'), built(1, 'b')]), { message: 'Two flows are called f@1.' });
  });
});
