import assert from 'node:assert/strict';
import type { Rejection } from '../../src/engine/task.ts';
import { Gate } from './gate.ts';
import { proveEngine, until } from './journals.ts';
import { Broken, breaks, type Call, counts, flow, looks, makes, owes, record } from './tasks.ts';

const pick = record({
  name: 'pick',
  execute: (_: object, { rejections }) => ({ host: `h${rejections.length + 1}` }),
});

proveEngine('a span of attempts', (test) => {
  let limit = 3;
  const spanned = flow<object>('spanned')
    .add(owes('owed'))
    .add(makes('before'))
    .attempts(
      'attempts',
      {
        limit: () => limit,
        remember: ({ host }) => host ?? null,
        rejected: async (_store, _rejection, { tx }) => tx.count('rejected'),
      },
      (span) => span.add(pick).add(counts('reserve')).add(makes('make')).add(looks('fill')),
    )
    .add(makes('after'))
    .build({ version: 1 });
  const full = (attempts: number) => (call: Call) => {
    if (call.context.attempt <= attempts) throw new Broken('full', { elsewhere: true });
  };

  test('is reverted first and begins again second, the tries before it told', async (w) => {
    limit = 3;
    const told: (readonly Rejection[])[] = [];
    w.tools.on.fill = (call: Call) => {
      told.push(call.context.rejections);
      full(2)(call);
    };
    const life = await w.live([spanned]);
    const id = await w.begin(life, spanned, {});
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(
      told.map((each) => each.map(({ attempt, choice, failure }) => [attempt, choice, failure.message])),
      [
        [],
        [[1, 'h1', 'full']],
        [
          [1, 'h1', 'full'],
          [2, 'h2', 'full'],
        ],
      ],
    );
    const once = ['+make', '+fill', '-make done'];
    assert.deepEqual(w.tools.did, ['+before', ...once, ...once, '+make', '+fill', '+after']);
    assert.deepEqual(await w.ground.rows(), { '-reserve': '2', rejected: '2', reserve: '3' });
    const attempts = (await w.ground.journal.steps(id)).map(({ event, attempt }) => `${event} ${attempt}`);
    assert.ok(attempts.includes('rejected 2') && attempts.at(-1) === 'done 3');
  });

  test('is given up at its limit; then everything is reverted', async (w) => {
    limit = 2;
    w.tools.on.fill = full(99);
    const life = await w.live([spanned]);
    const id = await w.begin(life, spanned, {});
    assert.equal((await w.settled(life, id)).state, 'reverted');
    const once = ['+make', '+fill', '-make done'];
    assert.deepEqual(w.tools.did, ['+before', ...once, ...once, '-before done']);
    assert.deepEqual(await w.ground.rows(), { '-owed': '1', '-reserve': '2', rejected: '1', reserve: '2' });
  });

  test('is not tried again after a failure that is final', async (w) => {
    limit = 3;
    w.tools.on.fill = breaks('no such image');
    const life = await w.live([spanned]);
    assert.equal((await w.settled(life, await w.begin(life, spanned, {}))).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+before', '+make', '+fill', '-make done', '-before done']);
  });

  for (const name of ['before', 'after']) {
    test(`is not tried again for a task ${name} it`, async (w) => {
      limit = 3;
      w.tools.on[name] = breaks('full', { elsewhere: true });
      const life = await w.live([spanned]);
      assert.equal((await w.settled(life, await w.begin(life, spanned, {}))).state, 'reverted');
      assert.equal((await w.ground.rows()).rejected, undefined);
    });
  }

  test('goes on after a crash with the tries it has had', async (w) => {
    limit = 3;
    w.tools.on.fill = full(2);
    let first = await w.live([spanned]);
    const id = await w.begin(first, spanned, {});
    w.tools.on['-make'] = () => {
      w.kill();
    };
    for (let crash = 0; crash < 2; crash += 1) {
      await first.journal.death;
      await first.die();
      if (crash === 1) delete w.tools.on['-make'];
      first = await w.live([spanned]);
    }
    assert.equal((await w.settled(first, id)).state, 'success');
    assert.deepEqual(await w.ground.rows(), { '-reserve': '2', rejected: '2', reserve: '3' });
  });

  test('does not begin again once what was before it is being reverted, though its limit is raised', async (w) => {
    limit = 1;
    w.tools.on.fill = full(99);
    const first = await w.live([spanned]);
    w.tools.on['-owed'] = () => w.kill();
    const id = await w.begin(first, spanned, {});
    await first.journal.death;
    await first.die();
    delete w.tools.on['-owed'];
    limit = 99;
    const second = await w.live([spanned]);
    assert.equal((await w.settled(second, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+before', '+make', '+fill', '-make done', '-before done', '-before done']);
  });

  test('ends when the flow is cancelled while a try runs', async (w) => {
    limit = 3;
    const gate = new Gate();
    w.tools.on.fill = gate.pass;
    const life = await w.live([spanned]);
    const id = await w.begin(life, spanned, {});
    await gate.arrived;
    assert.equal(await life.engine.wish(id, 'cancel', 'enough'), true);
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.equal((await w.ground.rows()).rejected, undefined);
  });

  test('ends when the flow is cancelled while a try is being reverted', async (w) => {
    limit = 3;
    const gate = new Gate();
    w.tools.on.fill = full(99);
    w.tools.on['-make'] = gate.pass;
    const life = await w.live([spanned]);
    const id = await w.begin(life, spanned, {});
    await gate.arrived;
    await until(async () => (await w.ground.journal.find(id))?.state === 'reverting', 'the state');
    assert.equal(await life.engine.wish(id, 'cancel', 'enough'), true);
    gate.open();
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.equal((await w.ground.rows()).rejected, undefined);
    assert.equal((await w.story(id)).includes('attempts cancelled'), true);
  });

  test('ends when the flow was cancelled while a try was being reverted and its process died since', async (w) => {
    const two = flow<object>('two')
      .attempts('attempts', { limit: () => 3 }, (span) => span.add(makes('a')).add(makes('b')).add(looks('fill')))
      .build({ version: 1 });
    const gate = new Gate();
    w.tools.on.fill = full(99);
    w.tools.on['-b'] = gate.pass;
    w.tools.on['-a'] = () => w.kill();
    const first = await w.live([two]);
    const id = await w.begin(first, two, {});
    await gate.arrived;
    assert.equal(await first.engine.wish(id, 'cancel', 'enough'), true);
    gate.open();
    await first.journal.death;
    await first.die();
    delete w.tools.on['-a'];
    const second = await w.live([two]);
    assert.equal((await w.settled(second, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', '+b', '+fill', '-b done', '-a done', '-a done']);
  });

  test('whose first task is a world’s begins without a commit of its own', async (w) => {
    const plain = flow<object>('plain')
      .attempts('attempts', { limit: () => 2 }, (span) => span.add(makes('make')))
      .build({ version: 1 });
    const life = await w.live([plain]);
    const before = w.ground.commits();
    await w.settled(life, await w.begin(life, plain, {}));
    assert.equal(w.ground.commits() - before, 2);
  });

  test('whose record of a rejection fails is given up', async (w) => {
    const sad = flow<object>('sad')
      .attempts('attempts', { limit: () => 3, rejected: breaks('cannot') }, (span) => span.add(makes('make')))
      .build({ version: 1 });
    w.tools.on.make = breaks('full', { elsewhere: true });
    const life = await w.live([sad]);
    const id = await w.begin(life, sad, {});
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(await w.story(id), ['make failed', 'make reverted', 'attempts cancelled']);
  });
});
