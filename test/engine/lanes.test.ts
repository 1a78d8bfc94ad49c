import assert from 'node:assert/strict';
import { Gate } from './gate.ts';
import { proveEngine, until } from './journals.ts';
import { Broken, breaks, counts, flow, looks, makes } from './tasks.ts';

proveEngine('a lane', (test) => {
  const crossing = flow<{ host: string }>('crossing')
    .add(makes('here'))
    .add(counts('chosen'))
    .lane(({ host }) => `host:${host}`)
    .add(makes('there'))
    .add(counts('noted'))
    .lane(() => 'control')
    .add(looks('back'))
    .build({ version: 1 });

  test('hands the flow to the process that owns it, and on from there', async (w) => {
    const control = await w.live([crossing]);
    const host = await w.live([crossing], { lanes: ['host:h'] });
    const id = await w.begin(control, crossing, { host: 'h' });
    assert.equal((await w.settled(control, id)).state, 'success');
    const by = (life: typeof control, is: string) =>
      life.events.flatMap((event) => (event.is === is && 'task' in event ? [event.task] : []));
    assert.deepEqual(by(control, 'task-started').includes('there'), false);
    assert.deepEqual(by(host, 'task-started').includes('there'), true);
    assert.deepEqual(w.tools.did, ['+here', '+there', '+back']);
    assert.deepEqual(await w.ground.rows(), { chosen: '1', noted: '1' });
  });

  test('is waited for while nobody owns it, and taken up at once by who comes to', async (w) => {
    const control = await w.live([crossing], { pollMs: 100_000 });
    const id = await w.begin(control, crossing, { host: 'h' });
    await until(async () => (await w.ground.journal.find(id))?.owner === null, 'the release');
    assert.equal((await w.ground.journal.find(id))?.lane, 'host:h');
    control.engine.own('host:h');
    assert.equal((await w.settled(control, id)).state, 'success');
  });

  test('is where the reverts of its tasks run, and not those of tasks before it', async (w) => {
    const control = await w.live([crossing]);
    const host = await w.live([crossing], { lanes: ['host:h'] });
    await control.engine.stop();
    const other = await w.live([crossing]);
    w.tools.on.back = breaks();
    const reverted: string[] = [];
    for (const name of ['-there', '-here'])
      w.tools.on[name] = () => {
        const lives = { host, other };
        for (const [who, life] of Object.entries(lives))
          if (life.engine.running().length > 0) reverted.push(`${name} by ${who}`);
      };
    host.engine.disown('control');
    const id = await w.begin(other, crossing, { host: 'h' });
    assert.equal((await w.settled(other, id)).state, 'reverted');
    assert.deepEqual(reverted, ['-there by host', '-here by other']);
  });

  test('is left by a revert of what was before it, also when nothing else is between', async (w) => {
    const bare = flow<object>('bare')
      .add(makes('here'))
      .lane(() => 'host:h')
      .add(looks('there'))
      .build({ version: 1 });
    w.tools.on.there = breaks();
    const control = await w.live([bare]);
    const host = await w.live([bare], { lanes: ['host:h'] });
    host.engine.disown('control');
    const id = await w.begin(control, bare, {});
    assert.equal((await w.settled(control, id)).state, 'reverted');
    const reverts = [control, host].map(
      (life) => life.events.filter((event) => event.is === 'task-started' && event.reverting).length,
    );
    assert.deepEqual(reverts, [1, 0]);
  });

  test('is asked for once: after a crash the flow is still where it was sent', async (w) => {
    let asked = 0;
    const moody = flow<object>('moody')
      .lane(() => {
        asked += 1;
        return `host:${asked}`;
      })
      .add(makes('a'))
      .build({ version: 1 });
    const first = await w.live([moody]);
    const id = await w.begin(first, moody, {});
    await until(async () => (await w.ground.journal.find(id))?.lane === 'host:1', 'the lane');
    await first.die();
    const second = await w.live([moody], { lanes: ['host:1'] });
    assert.equal((await w.settled(second, id)).state, 'success');
    assert.equal(asked, 1);
  });

  test('does not make a task that must not run twice look as if it had been interrupted', async (w) => {
    const once = flow<object>('once')
      .lane(() => 'host:h')
      .add(makes('a', { onInterrupt: 'revert' }))
      .build({ version: 1 });
    const control = await w.live([once]);
    await w.live([once], { lanes: ['host:h'] });
    assert.equal((await w.settled(control, await w.begin(control, once, {}))).state, 'success');
  });

  test('of a flow that is tried elsewhere is that of the last try', async (w) => {
    let picks = 0;
    const pick = () => {
      picks += 1;
      return `host:${picks}`;
    };
    const spanned = flow<object>('spanned')
      .add(makes('first'))
      .attempts('attempts', { limit: () => 3 }, (span) => span.lane(pick).add(makes('make')))
      .build({ version: 1 });
    const lives = {
      control: await w.live([spanned]),
      one: await w.live([spanned], { lanes: ['host:1'] }),
      two: await w.live([spanned], { lanes: ['host:2'] }),
    };
    lives.one.engine.disown('control');
    lives.two.engine.disown('control');
    const by: string[] = [];
    const note = (what: string): void => {
      for (const [who, life] of Object.entries(lives))
        if (life.engine.running().length > 0) by.push(`${what} by ${who}`);
    };
    w.tools.on.make = ({ context }) => {
      note('make');
      if (context.attempt === 1) throw new Broken('full', { elsewhere: true });
    };
    w.tools.on['-make'] = () => note('-make');
    const id = await w.begin(lives.control, spanned, {});
    assert.equal((await w.settled(lives.control, id)).state, 'success');
    assert.deepEqual(by, ['make by one', '-make by one', 'make by two']);
  });

  test('is nobody’s business to cancel: a flow that waits for it is turned back where its tasks ran', async (w) => {
    const control = await w.live([crossing]);
    const id = await w.begin(control, crossing, { host: 'h' });
    await until(async () => (await w.ground.journal.find(id))?.owner === null, 'the release');
    assert.equal(await control.engine.wish(id, 'cancel', 'enough'), true);
    const host = await w.live([crossing], { lanes: ['host:h'] });
    host.engine.disown('control');
    assert.equal((await w.settled(control, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+here', '-here done']);
  });

  test('that is left to others has nothing done in it any more, and is gone on with when it comes back', async (w) => {
    const gate = new Gate();
    w.tools.on.there = gate.pass;
    const life = await w.live([crossing], { lanes: ['host:h'], pollMs: 5 });
    const id = await w.begin(life, crossing, { host: 'h' });
    await gate.arrived;
    life.engine.disown('host:h');
    await until(() => life.engine.running().length === 0, 'it is let go of');
    delete w.tools.on.there;
    // Looks at the queue meanwhile find nothing to take up.
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual(w.tools.did, ['+here', '+there']);
    assert.equal((await w.ground.journal.find(id))?.owner, life.engine.process);
    life.engine.own('host:h');
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(w.tools.did, ['+here', '+there', '+there', '+back']);
  });

  test('that is left to others is taken up by them when who has left is fenced, which is no death of the flow', async (w) => {
    const gate = new Gate();
    w.tools.on.there = gate.passDeaf;
    const first = await w.live([crossing], { lanes: ['host:h'], pollMs: 5 });
    const id = await w.begin(first, crossing, { host: 'h' });
    await gate.arrived;
    const fenced: string[] = [];
    const second = await w.live([crossing], {
      lanes: ['host:h'],
      pollMs: 5,
      fence: async (process, lane) => void fenced.push(`${process} ${lane}`),
    });
    delete w.tools.on.there;
    first.engine.disown('host:h');
    await w.ground.leaving(first.engine.process, 'host:h', true);
    assert.equal((await w.settled(second, id)).state, 'success');
    assert.ok(fenced.includes(`${first.engine.process} host:h`));
    assert.equal((await w.ground.journal.find(id))?.claims, 0);
    await w.ground.leaving(first.engine.process, 'host:h', false);
    first.engine.own('host:h');
    gate.open();
    await until(() => first.engine.running().length === 0, 'the first has let go of it');
    assert.deepEqual(w.tools.did, ['+here', '+there', '+there', '+back']);
    assert.deepEqual(await w.ground.rows(), { chosen: '1', noted: '1' });
  });

  test('that is left to others in the middle of a task has that undone as interrupted when it fails there', async (w) => {
    const gate = new Gate();
    w.tools.on.there = gate.pass;
    const first = await w.live([crossing], { lanes: ['host:h'], pollMs: 5 });
    const id = await w.begin(first, crossing, { host: 'h' });
    await gate.arrived;
    const second = await w.live([crossing], { lanes: ['host:h'], pollMs: 5 });
    w.tools.on.there = breaks();
    first.engine.disown('host:h');
    await w.ground.leaving(first.engine.process, 'host:h', true);
    assert.equal((await w.settled(second, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+here', '+there', '+there', '-there interrupted', '-here done']);
  });

  test('that is left to others while a task is at work in it has that undone by them when the flow is cancelled', async (w) => {
    const gate = new Gate();
    w.tools.on.there = gate.passDeaf;
    const first = await w.live([crossing], { lanes: ['host:h'], pollMs: 5 });
    const id = await w.begin(first, crossing, { host: 'h' });
    await gate.arrived;
    first.engine.disown('host:h');
    assert.equal(await w.ground.journal.wish(id, 'cancel', 'enough'), true);
    await w.ground.leaving(first.engine.process, 'host:h', true);
    const second = await w.live([crossing], { lanes: ['host:h'], pollMs: 5 });
    assert.equal((await w.settled(second, id)).state, 'reverted');
    gate.open();
    await until(() => first.engine.running().length === 0, 'the first has let go of it');
    assert.deepEqual(w.tools.did, ['+here', '+there', '-there interrupted', '-here done']);
  });

  test('that comes to be owned by a gate’s process does not stop what runs elsewhere', async (w) => {
    const gate = new Gate();
    w.tools.on.there = gate.pass;
    const life = await w.live([crossing], { lanes: ['host:h'] });
    const id = await w.begin(life, crossing, { host: 'h' });
    await gate.arrived;
    life.engine.own('host:other');
    gate.open();
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(w.tools.did, ['+here', '+there', '+back']);
  });
});
