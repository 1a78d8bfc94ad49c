import assert from 'node:assert/strict';
import { proveEngine } from './journals.ts';
import { breaks, counts, flow, makes } from './tasks.ts';

proveEngine('trouble with the journal', (test) => {
  const mixed = flow<object>('mixed').add(counts('a')).add(makes('b')).add(counts('c')).build({ version: 1 });

  for (const moment of ['before', 'after'] as const) {
    for (const state of ['success', 'reverted'] as const) {
      test(`${moment} any write took effect is waited out and fails no flow (${state})`, async (w) => {
        if (state === 'reverted') w.tools.on.b = breaks();
        let told = 0;
        for (let write = 0; ; write += 1) {
          const life = await w.live([mixed], { faults: { trouble: new Map([[write, moment]]), behind: true } });
          const id = await w.begin(life, mixed, {});
          assert.equal((await w.settled(life, id)).state, state);
          const troubled = life.events.some(({ is }) => is === 'journal-trouble');
          await life.die();
          if (!troubled) break;
          told += 1;
        }
        assert.ok(told >= 2, `${told} writes`);
        const times = String(told + 1);
        const rows = state === 'success' ? { a: times, c: times } : { '-a': times, a: times };
        assert.deepEqual(await w.ground.rows(), rows);
      });
    }
  }

  test('that lasts is waited out', async (w) => {
    const trouble = new Map(Array.from({ length: 9 }, (_, write) => [write, 'before'] as const));
    const life = await w.live([mixed], { faults: { trouble } });
    assert.equal((await w.settled(life, await w.begin(life, mixed, {}))).state, 'success');
    assert.deepEqual(await w.ground.rows(), { a: '1', c: '1' });
    assert.deepEqual(w.tools.did, ['+b']);
  });

  test('does not keep an engine from stopping', async (w) => {
    const trouble = new Map(Array.from({ length: 9999 }, (_, write) => [write, 'before'] as const));
    const life = await w.live([mixed], { faults: { trouble, behind: true }, troubleBackoffMs: 100_000 });
    await w.begin(life, mixed, {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    await life.engine.stop();
    assert.deepEqual(w.tools.did, []);
  });
});
