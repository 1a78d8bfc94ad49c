import assert from 'node:assert/strict';
import { Gate } from './gate.ts';
import { proveEngine } from './journals.ts';
import { Broken, breaksTimes, type Call, flow, looks, makes } from './tasks.ts';

proveEngine('parallel tasks', (test) => {
  const stage = flow<object>('stage')
    .add(makes('a'))
    .parallel(makes('x'), makes('y'), makes('z'))
    .add(makes('b'))
    .build({ version: 1 });

  test('run at once and do not see each other’s results', async (w) => {
    const seen: object[] = [];
    const gates = [new Gate(), new Gate(), new Gate()];
    for (const [index, name] of ['x', 'y', 'z'].entries())
      w.tools.on[name] = (call: Call) => {
        seen.push(call.input);
        return gates[index]?.pass(call);
      };
    w.tools.on.b = ({ input }: Call) => seen.push(input);
    const life = await w.live([stage]);
    const id = await w.begin(life, stage, {});
    for (const gate of gates) await gate.arrived;
    for (const gate of gates.toReversed()) gate.open();
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(seen, [{ a: 'a!' }, { a: 'a!' }, { a: 'a!' }, { a: 'a!', x: 'x!', y: 'y!', z: 'z!' }]);
  });

  test('are told by their signal when one fails; all have ended before the reverts begin', async (w) => {
    const [x, z] = [new Gate(), new Gate()];
    const failures: unknown[] = [];
    w.tools.on.x = x.pass;
    w.tools.on.z = z.passDeaf;
    w.tools.on.y = async () => {
      await Promise.all([x.arrived, z.arrived]);
      throw new Broken('y broke');
    };
    w.tools.on['-a'] = ({ context }: Call) =>
      failures.push(...context.failures.map(({ task, name, message }) => [task, name, message]));
    const life = await w.live([stage]);
    const id = await w.begin(life, stage, {});
    await Promise.all([x.arrived, z.arrived]);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(w.tools.did, ['+a', '+x', '+y', '+z']);
    z.open();
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(w.tools.did.slice(4).sort(), ['-a done', '-x failed', '-y failed', '-z done']);
    assert.equal(w.tools.did.at(-1), '-a done');
    assert.deepEqual(failures, [
      ['y', 'Broken', 'y broke'],
      ['x', 'Cancelled', 'y failed beside it.'],
    ]);
  });

  test('are tried elsewhere when the one that failed says so, though its siblings were stopped', async (w) => {
    const spanned = flow<object>('spanned')
      .attempts('attempts', { limit: () => 2 }, (span) => span.parallel(looks('x'), looks('y')))
      .build({ version: 1 });
    const gate = new Gate();
    let tries = 0;
    w.tools.on.x = (call: Call) => {
      tries += 1;
      return tries === 1 ? gate.pass(call) : undefined;
    };
    w.tools.on.y = async () => {
      await gate.arrived;
      if (tries === 1) throw new Broken('full', { elsewhere: true });
    };
    const life = await w.live([spanned]);
    const id = await w.begin(life, spanned, {});
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(w.tools.did, ['+x', '+y', '+x', '+y']);
    const rejection = (await w.ground.journal.steps(id)).find((step) => step.event === 'rejected');
    assert.equal(rejection?.data.failure.message, 'full');
  });

  test('may all be tried again in place in one turn', async (w) => {
    const retried = flow<object>('retried')
      .parallel(
        makes('x', { retry: { tries: 4, backoffMs: 1 } }),
        makes('y', { retry: { tries: 4, backoffMs: 1 } }),
        makes('z', { retry: { tries: 4, backoffMs: 1 } }),
      )
      .build({ version: 1 });
    for (const name of ['x', 'y', 'z']) w.tools.on[name] = breaksTimes(2, { transient: true });
    const life = await w.live([retried]);
    assert.equal((await w.settled(life, await w.begin(life, retried, {}))).state, 'success');
    assert.ok(!life.events.some(({ is }) => is === 'flow-fenced' || is === 'journal-trouble'));
    assert.equal(w.tools.did.length, 9);
  });

  test('run again, all of them, when the process died inside one', async (w) => {
    const first = await w.live([stage]);
    const gate = new Gate();
    w.tools.on.x = gate.passDeaf;
    w.tools.on.y = async () => {
      await gate.arrived;
      w.kill();
      gate.open();
    };
    const id = await w.begin(first, stage, {});
    await first.journal.death;
    await first.die();
    w.tools.on.y = () => {};
    const second = await w.live([stage]);
    assert.equal((await w.settled(second, id)).state, 'success');
    assert.deepEqual(w.tools.did, ['+a', '+x', '+y', '+z', '+x', '+y', '+z', '+b']);
  });

  test('of which one must not run twice are taken back when the process died inside', async (w) => {
    const once = flow<object>('once')
      .parallel(makes('x'), makes('y', { onInterrupt: 'revert' }))
      .build({ version: 1 });
    const first = await w.live([once]);
    w.tools.on.x = () => w.kill();
    const id = await w.begin(first, once, {});
    await first.journal.death;
    await first.die();
    const second = await w.live([once]);
    assert.equal((await w.settled(second, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+x', '+y', '-y interrupted', '-x interrupted']);
  });
});
