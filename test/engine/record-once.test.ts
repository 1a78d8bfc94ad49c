import assert from 'node:assert/strict';
import type { AnyFlow } from '../../src/engine/flow.ts';
import { proveEngine } from './journals.ts';
import { breaks, counts, flow, makes, owes } from './tasks.ts';

proveEngine('a record', (test) => {
  const mixed = flow<object>('mixed')
    .add(owes('owed'))
    .add(counts('a'))
    .add(makes('b'))
    .add(counts('c'))
    .add(counts('d'))
    .add(makes('e'))
    .add(counts('f'))
    .build({ version: 1 });
  const GROUNDS = [
    { behind: false, begun: 'where it began', writes: 2 },
    { behind: true, begun: 'after it began', writes: 3 },
  ] as const;
  const DEATHS = GROUNDS.flatMap((ground) => (['before', 'after'] as const).map((moment) => ({ ...ground, moment })));

  for (const { behind, begun, writes, moment } of DEATHS) {
    test(`is done exactly once, the first ones ${begun}, when the process dies ${moment} any write`, async (w) => {
      for (let write = 0; ; write += 1) {
        const first = await w.live([mixed], { faults: { crash: { write, moment }, behind } });
        const id = await w.begin(first, mixed, {});
        const crashed = await Promise.race([
          first.journal.death.then(() => true),
          first.engine.settled(id, AbortSignal.timeout(20_000)).then(
            () => first.journal.dead,
            () => true,
          ),
        ]);
        await first.die();
        if (!crashed) {
          assert.equal(write, writes);
          break;
        }
        const second = await w.live([mixed]);
        assert.equal((await w.settled(second, id)).state, 'success');
        const ends = (await w.story(id)).filter((step) => !step.endsWith(' interrupted'));
        assert.equal(ends.length, 7);
        const times = String(write + 1);
        assert.deepEqual(await w.ground.rows(), { a: times, c: times, d: times, f: times });
        await second.die();
      }
    });

    test(`is undone exactly once, the first ones done ${begun}, when the process dies ${moment} any write`, async (w) => {
      w.tools.on.e = breaks();
      let crashes = 0;
      for (let write = 0; ; write += 1) {
        const first = await w.live([mixed], { faults: { crash: { write, moment }, behind } });
        const id = await w.begin(first, mixed, {});
        await Promise.race([first.journal.death, w.settled(first, id).catch(() => {})]);
        const crashed = first.journal.dead;
        await first.die();
        const second = await w.live([mixed]);
        assert.equal((await w.settled(second, id)).state, 'reverted');
        const times = String(write + 1);
        const rows = { '-a': times, '-c': times, '-d': times, '-owed': times, a: times, c: times, d: times };
        assert.deepEqual(await w.ground.rows(), rows);
        await second.die();
        if (!crashed) break;
        crashes += 1;
      }
      assert.ok(crashes >= writes + 2, `${crashes} writes`);
    });
  }

  for (const { behind, begun, writes } of GROUNDS)
    test(`is done once, the first ones ${begun}, when the answer to any write is lost`, async (w) => {
      for (let write = 0; write < writes; write += 1) {
        const life = await w.live([mixed], { faults: { trouble: new Map([[write, 'after']]), behind } });
        assert.equal((await w.settled(life, await w.begin(life, mixed, {}))).state, 'success');
        assert.ok(life.events.some(({ is }) => is === 'journal-trouble'));
        const times = String(write + 1);
        assert.deepEqual(await w.ground.rows(), { a: times, c: times, d: times, f: times });
        await life.die();
      }
    });

  test('is made again when its transaction is, as if the first had never been', async (w) => {
    const life = await w.live([mixed], { faults: { rehearse: true } });
    assert.equal((await w.settled(life, await w.begin(life, mixed, {}))).state, 'success');
    assert.deepEqual(await w.ground.rows(), { a: '1', c: '1', d: '1', f: '1' });
  });

  test('that fails spoils only itself: what its flow and others wrote in the same commit stands', async (w) => {
    const [bad, good] = [
      flow<object>('bad').add(counts('before')).add(counts('fails')).add(makes('never')).build({ version: 1 }),
      flow<object>('good').add(counts('good')).add(makes('x')).build({ version: 1 }),
    ];
    w.tools.on.fails = breaks('refused');
    const life = await w.live([bad, good]);
    const ids = await w.ground.transaction(async (tx) => {
      const started: string[] = [];
      for (const each of [good, bad, good, bad, good] as readonly AnyFlow[])
        started.push(await life.engine.begin(tx, each, {}, { resource: 'r', projectId: 'p', requestId: 'q' }));
      return started;
    });
    const states: string[] = [];
    for (const id of ids) states.push((await w.settled(life, id)).state);
    assert.deepEqual(states, ['success', 'reverted', 'success', 'reverted', 'success']);
    assert.deepEqual(await w.ground.rows(), { '-before': '2', '-fails': '2', before: '2', good: '3' });
    assert.deepEqual(await w.story(ids[1] as string), [
      'before done',
      'fails failed',
      'fails reverted',
      'before reverted',
    ]);
  });

  test('that fails after one that failed in its revert comes to an end', async (w) => {
    const doubly = flow<object>('doubly').add(counts('a')).add(counts('b')).build({ version: 1 });
    w.tools.on.b = breaks('first');
    w.tools.on['-a'] = breaks('second');
    const life = await w.live([doubly]);
    const id = await w.begin(life, doubly, {});
    assert.equal((await w.settled(life, id)).state, 'stuck');
    assert.deepEqual(await w.story(id), ['a done', 'b failed', 'b reverted', 'a revert_failed']);
  });

  test('whose statement failed without its saying so fails all the same', async (w) => {
    if (w.kind === 'memory') return;
    const sly = flow<object>('sly').add(counts('a')).add(counts('sly')).add(makes('b')).build({ version: 1 });
    w.tools.on.sly = async ({ context }) => {
      await context.tx?.put('x', null as unknown as string).catch(() => {});
    };
    const life = await w.live([sly], { maxClaims: 2 });
    assert.equal((await w.settled(life, await w.begin(life, sly, {}))).state, 'reverted');
    assert.equal(w.tools.did.length, 0);
  });
});
