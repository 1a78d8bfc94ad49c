import assert from 'node:assert/strict';
import { proveEngine } from './journals.ts';
import { flow, looks, makes, record, world } from './tasks.ts';

proveEngine('a result', (test) => {
  for (const kind of ['world', 'record'] as const) {
    test(`of a ${kind} that is too large fails its task`, async (w) => {
      const execute = () => ({ text: 'x'.repeat(70_000) });
      const task = kind === 'world' ? world({ name: 'large', execute }) : record({ name: 'large', execute });
      const large = flow<object>('large').add(makes('a')).add(task).build({ version: 1 });
      const life = await w.live([large]);
      const id = await w.begin(life, large, {});
      assert.equal((await w.settled(life, id)).state, 'reverted');
      const failure = await w.failure(id, 'failed');
      assert.equal(failure.name, 'ResultTooLarge');
      assert.match(failure.message, /large gave 70011 bytes.*at most 65536/);
    });

    for (const [what, value] of [
      ['a date', new Date(0)],
      ['a map', new Map([['a', 1]])],
      ['not a number', Number.NaN],
      ['a function', () => 1],
      ['a bigint', 1n],
      ['an instance', new (class Ref {})()],
      ['a hole', [1, undefined, 2]],
    ] as const) {
      test(`of a ${kind} that JSON does not carry (${what}) fails its task`, async (w) => {
        const execute = () => ({ deep: { value } }) as unknown as { deep: string };
        const task = kind === 'world' ? world({ name: 'odd', execute }) : record({ name: 'odd', execute });
        const odd = flow<object>('odd').add(makes('a')).add(task).build({ version: 1 });
        const life = await w.live([odd]);
        const id = await w.begin(life, odd, {});
        assert.equal((await w.settled(life, id)).state, 'reverted');
        const failure = await w.failure(id, 'failed');
        assert.equal(failure.name, 'NotJson');
        assert.match(failure.message, /odd.*deep\.value/);
      });
    }
  }

  test('comes back from the journal as it was', async (w) => {
    const value = { text: 'ä\u0000\ud83d\ude00"', list: [1, 1.5, -1, true, null, []], nested: { empty: {}, n: 1e300 } };
    const odd = flow<object>('odd')
      .add(world({ name: 'give', execute: () => ({ value }) }))
      .add(looks('kills'))
      .build({ version: 1 });
    const seen: unknown[] = [];
    const first = await w.live([odd]);
    w.tools.on.kills = ({ input }) => {
      seen.push(input);
      w.kill();
    };
    const id = await w.begin(first, odd, {});
    await first.journal.death;
    await first.die();
    w.tools.on.kills = ({ input }) => seen.push(input);
    const second = await w.live([odd]);
    await w.settled(second, id);
    assert.deepEqual(seen, [{ value }, { value }]);
  });
});
