import assert from 'node:assert/strict';
import { type Life, proveEngine, until, type World } from './journals.ts';
import { Broken, breaks, breaksTimes, type Call, counts, flow, makes } from './tasks.ts';

proveEngine('a flow whose revert keeps failing', (test) => {
  const sad = flow<object>('sad').add(makes('a')).add(counts('b')).add(makes('c')).build({ version: 1 });

  for (const name of ['-a', '-b', '-c']) {
    test(`(${name}) is stuck: visible, its holds kept, and goes on when it is resumed`, async (w) => {
      w.tools.on.c = breaks('no room');
      w.tools.on[name] = breaks('cannot undo');
      const life = await w.live([sad]);
      const id = await w.begin(life, sad, {}, { holds: [{ resource: 'volume:1', mode: 'exclusive' }] });
      const row = await w.settled(life, id);
      assert.deepEqual([row.state, row.owner, row.endedAt], ['stuck', null, null]);
      assert.deepEqual(
        (await w.ground.journal.list({ state: 'stuck' })).map((each) => each.id),
        [id],
      );
      const event = life.events.find(({ is }) => is === 'flow-stuck');
      assert.equal(event?.is === 'flow-stuck' && event.failure.message, 'cannot undo');
      assert.deepEqual(await w.ground.holds(), ['volume:1 exclusive']);
      delete w.tools.on[name];
      assert.equal(await life.engine.wish(id, 'resume', 'mended'), true);
      assert.equal((await w.settled(life, id)).state, 'reverted');
      assert.equal(w.tools.did.at(-1), '-a done');
      assert.deepEqual(await w.ground.holds(), []);
      assert.equal((await w.ground.rows())['-b'], '1');
    });
  }

  test('stays stuck over a restart, and when it is resumed in vain', async (w) => {
    w.tools.on.c = breaks('no room');
    w.tools.on['-a'] = breaks('cannot undo');
    const first = await w.live([sad]);
    const id = await w.begin(first, sad, {});
    await w.settled(first, id);
    await first.die();
    const second = await w.live([sad]);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal((await w.ground.journal.find(id))?.state, 'stuck');
    const undone = w.tools.did.filter((what) => what === '-a done').length;
    await second.engine.wish(id, 'resume', 'mended');
    await until(() => second.events.some(({ is }) => is === 'flow-stuck'), 'the second alarm');
    assert.equal((await w.settled(second, id)).state, 'stuck');
    assert.equal(w.tools.did.filter((what) => what === '-a done').length, undone * 2);
  });

  test('cannot be cancelled, but reverted by an operator', async (w) => {
    w.tools.on.c = breaks('no room');
    w.tools.on['-c'] = breaks('cannot undo');
    const life = await w.live([sad]);
    const id = await w.begin(life, sad, {});
    await w.settled(life, id);
    assert.equal(await life.engine.wish(id, 'cancel', ''), false);
    delete w.tools.on['-c'];
    assert.equal(await life.engine.wish(id, 'revert', 'mended'), true);
    assert.equal((await w.settled(life, id)).state, 'reverted');
  });

  test('gives up one revert for one word, though a late look at the wishes tells of it again', async (w) => {
    w.tools.on.c = breaks('no room');
    w.tools.on['-c'] = breaks('cannot undo');
    const first = await w.live([sad]);
    const id = await w.begin(first, sad, {});
    await w.settled(first, id);
    await first.die();
    await w.ground.journal.wish(id, 'abandon', 'the array is scrap');
    let heard = (): void => {};
    const late = { id, wish: 'abandon' as const, reason: 'the array is scrap' };
    Object.assign(w.ground.journal, {
      wished: async () => {
        setImmediate(heard);
        return [late];
      },
    });
    w.tools.on['-b'] = async () => {
      const told = new Promise<void>((resolve) => {
        heard = resolve;
      });
      w.last()?.engine.wake();
      await told;
    };
    const second = await w.live([sad]);
    await w.settled(second, id);
    const steps = await w.ground.journal.steps(id);
    const abandoned = steps.filter(({ event }) => event === 'abandoned').map(({ node }) => node);
    assert.deepEqual(abandoned, ['c']);
  });

  for (const name of ['-a', '-b', '-c']) {
    test(`(${name}) may be abandoned: that revert is given up, the others run, and the holds are free`, async (w) => {
      w.tools.on.c = breaks('no room');
      w.tools.on[name] = breaks('cannot undo');
      const first = await w.live([sad]);
      const id = await w.begin(first, sad, {}, { holds: [{ resource: 'volume:1', mode: 'exclusive' }] });
      await w.settled(first, id);
      await first.die();
      assert.equal(await w.ground.journal.wish(id, 'abandon', 'the array is scrap'), true);
      const second = await w.live([sad]);
      const row = await w.settled(second, id);
      assert.deepEqual([row.state, row.wish], ['reverted', null]);
      assert.deepEqual(await w.ground.holds(), []);
      const steps = await w.ground.journal.steps(id);
      assert.deepEqual(
        steps.filter(({ event }) => event === 'abandoned').map(({ node, data }) => [node, data]),
        [[name.slice(1), { reason: 'the array is scrap' }]],
      );
      const undone = steps.filter(({ event }) => event === 'reverted').map(({ node }) => node);
      assert.deepEqual(
        undone,
        ['c', 'b', 'a'].filter((node) => `-${node}` !== name),
      );
    });
  }

  const silences = {
    'nobody could be asked': { unasked: true },
    'nobody has answered': { unanswered: true },
    'it was asked, and then nobody could be': { unanswered: true, unasked: true },
  } as const;
  for (const [why, silence] of Object.entries(silences)) {
    test(`since ${why} is not stuck: it is tried until there is an answer, and the journal stays thin`, async (w) => {
      const times = 20;
      w.tools.on.c = breaks('no room');
      w.tools.on['-a'] = breaksTimes(times, silence);
      const life = await w.live([sad], { revertRetry: { tries: 3, when: () => true, backoffMs: 1, maxBackoffMs: 2 } });
      const id = await w.begin(life, sad, {});
      assert.equal((await w.settled(life, id)).state, 'reverted');
      assert.equal(w.tools.did.filter((what) => what === '-a done').length, times + 1);
      assert.equal((await w.story(id)).filter((step) => step === 'a retried').length, 5);
    });
  }

  test('since nobody answers is stuck when an operator wants it reverted all the same, and may then be abandoned', async (w) => {
    w.tools.on.c = breaks('no room');
    w.tools.on['-a'] = breaks('away', { unasked: true });
    const silent = Promise.withResolvers<void>();
    const life = await w.live([sad], {
      revertRetry: { tries: 3, when: () => true, backoffMs: 100_000 },
      listen: (event) => {
        if (event.is === 'task-retried') silent.resolve();
      },
    });
    const id = await w.begin(life, sad, {});
    await silent.promise;
    assert.equal(await life.engine.wish(id, 'cancel', 'enough'), true);
    assert.equal((await w.ground.journal.find(id))?.state, 'reverting');
    assert.equal(await life.engine.wish(id, 'revert', 'the array is scrap'), true);
    assert.equal((await w.settled(life, id)).state, 'stuck');
    assert.equal((await w.failure(id, 'revert_failed')).message, 'away');
    assert.equal(await life.engine.wish(id, 'abandon', 'the array is scrap'), true);
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.equal(w.tools.did.filter((what) => what === '-a done').length, 1);
  });

  test('that is not stuck cannot be abandoned', async (w) => {
    const life = await w.live([sad]);
    let heard: boolean | undefined;
    w.tools.on.c = async ({ context }) => {
      heard = await life.engine.wish(context.flowId, 'abandon', '');
    };
    const id = await w.begin(life, sad, {});
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.equal(heard, false);
  });

  test('does not come back by itself for a wish that was made before it was stuck', async (w) => {
    w.tools.on.c = async ({ context }) => {
      await life.engine.wish(context.flowId, 'revert', 'by hand');
      throw new Error('no room');
    };
    w.tools.on['-c'] = breaks('cannot undo');
    const life = await w.live([sad]);
    const id = await w.begin(life, sad, {});
    assert.equal((await w.settled(life, id)).state, 'stuck');
    life.engine.wake();
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(life.events.filter(({ is }) => is === 'flow-stuck').length, 1);
  });
});

proveEngine('a poisonous flow', (test) => {
  const poison = flow<object>('poison')
    .add(makes('a'))
    .add(makes('kills', { retry: { tries: 4, backoffMs: 1 } }))
    .add(makes('z'))
    .build({ version: 1 });

  test('that kills its process again and again is taken back', async (w) => {
    let life = await w.live([poison], { maxClaims: 3 });
    w.tools.on.kills = () => w.kill();
    const id = await w.begin(life, poison, {});
    for (let deaths = 0; deaths < 4; deaths += 1) {
      await life.journal.death;
      await life.die();
      life = await w.live([poison], { maxClaims: 3 });
    }
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(w.tools.did, ['+a', ...Array(4).fill('+kills'), '-kills interrupted', '-a done']);
    assert.equal((await w.failure(id, 'cancelled')).name, 'Poisonous');
  });

  const told: Readonly<Record<string, (w: World) => (call: Call) => Promise<unknown>>> = {
    'has told of a retry': (w) => {
      let fresh: Life | undefined;
      return async () => {
        const again = fresh === w.last();
        fresh = w.last();
        if (!again) throw new Broken('busy', { transient: true });
        w.kill();
      };
    },
    'has told its progress': (w) => async (call) => {
      call.context.progress?.(0.5);
      w.kill();
    },
    'is shown at work in its row': (w) => async (call) => {
      call.context.progress?.(0.5);
      await until(async () => (await w.ground.journal.find(call.context.flowId))?.doing != null, 'the note');
      w.kill();
    },
  };
  for (const [what, kills] of Object.entries(told)) {
    test(`that kills its process each time that it ${what} is taken back`, async (w) => {
      const options = { maxClaims: 2, doingIntervalMs: 2 };
      const work = kills(w);
      let deaths = 0;
      w.tools.on.kills = (call) => {
        // Not for ever: a flow that is never taken back fails the test.
        if (deaths < 8) return work(call);
      };
      let life = await w.live([poison], options);
      const id = await w.begin(life, poison, {});
      for (let alive = true; alive; ) {
        alive = await Promise.race([
          life.journal.death.then(() => true),
          w.settled(life, id).then(
            () => false,
            () => true,
          ),
        ]);
        if (!alive) break;
        deaths += 1;
        await life.die();
        life = await w.live([poison], options);
      }
      assert.equal((await w.ground.journal.find(id))?.state, 'reverted');
      assert.equal(deaths, 3);
    });
  }

  for (const kind of ['world', 'record'] as const) {
    test(`whose ${kind}’s revert kills its process is stuck`, async (w) => {
      const middle = kind === 'world' ? makes('m') : counts('m');
      const cruel = flow<object>('cruel').add(makes('a')).add(middle).add(makes('z')).build({ version: 1 });
      let life = await w.live([cruel], { maxClaims: 2 });
      w.tools.on.z = breaks();
      w.tools.on['-m'] = () => w.kill();
      const id = await w.begin(life, cruel, {});
      for (let deaths = 0; deaths < 3; deaths += 1) {
        await life.journal.death;
        await life.die();
        life = await w.live([cruel], { maxClaims: 2 });
      }
      assert.equal((await w.settled(life, id)).state, 'stuck');
      delete w.tools.on['-m'];
      await life.engine.wish(id, 'resume', 'mended');
      assert.equal((await w.settled(life, id)).state, 'reverted');
    });
  }

  test('whose revert tells of a retry each time before it kills its process is stuck', async (w) => {
    const options = { maxClaims: 2 };
    w.tools.on.z = breaks();
    let fresh: Life | undefined;
    w.tools.on['-kills'] = () => {
      const again = fresh === w.last();
      fresh = w.last();
      if (!again) throw new Broken('busy', { transient: true });
      w.kill();
    };
    let life = await w.live([poison], options);
    const id = await w.begin(life, poison, {});
    for (let deaths = 0; deaths < 3; deaths += 1) {
      await life.journal.death;
      await life.die();
      life = await w.live([poison], options);
    }
    assert.equal((await w.settled(life, id)).state, 'stuck');
  });

  test('is not one that makes progress between the deaths of its processes', async (w) => {
    const steps = ['a', 'b', 'c', 'd', 'e'] as const;
    const long = flow<object>('long')
      .add(makes('a'))
      .add(makes('b'))
      .add(makes('c'))
      .add(makes('d'))
      .add(makes('e'))
      .build({ version: 1 });
    let life = await w.live([long], { maxClaims: 1 });
    let id = '';
    for (const name of steps) {
      w.tools.on[name] = () => w.kill();
      id ||= await w.begin(life, long, {});
      await life.journal.death;
      await life.die();
      delete w.tools.on[name];
      const next = steps[steps.indexOf(name) + 1];
      if (next) w.tools.on[next] = () => w.kill();
      life = await w.live([long], { maxClaims: 1 });
    }
    assert.equal((await w.settled(life, id)).state, 'success');
  });
});
