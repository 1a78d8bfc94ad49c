import assert from 'node:assert/strict';
import { proveEngine } from './journals.ts';
import { breaks, type Call, counts, flow, makes } from './tasks.ts';

proveEngine('a sub-flow', (test) => {
  const fill = flow<object>('fill').add(makes('fetch')).add(counts('write')).build({ version: 1 });
  const whole = flow<object>('whole').add(makes('make')).sub(fill).add(makes('finish')).build({ version: 1 });

  test('runs as part of the whole, under its own name', async (w) => {
    const seen: object[] = [];
    w.tools.on.finish = ({ input }: Call) => seen.push(input);
    const life = await w.live([whole]);
    const id = await w.begin(life, whole, {});
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(await w.story(id), ['make done', 'fill/fetch done', 'fill/write done', 'finish done']);
    assert.deepEqual(seen, [{ make: 'make!', fetch: 'fetch!', write: 'write!' }]);
  });

  test('is reverted with the whole', async (w) => {
    w.tools.on.finish = breaks();
    const life = await w.live([whole]);
    await w.settled(life, await w.begin(life, whole, {}));
    assert.deepEqual(w.tools.did.slice(3), ['-finish failed', '-fetch done', '-make done']);
    assert.deepEqual(await w.ground.rows(), { '-write': '1', write: '1' });
  });

  let asked: unknown[] = [];
  let answer = true;
  const chosen = flow<{ image: string }>('chosen')
    .add(makes('make'))
    .when(
      'from-image',
      (store) => {
        asked.push({ ...store });
        return answer;
      },
      fill,
    )
    .add(makes('finish'))
    .build({ version: 1 });
  const fresh = (value: boolean): void => {
    asked = [];
    answer = value;
  };

  test('that is chosen runs only when its predicate holds', async (w) => {
    const life = await w.live([chosen]);
    for (const value of [true, false]) {
      fresh(value);
      const id = await w.begin(life, chosen, { image: 'i' });
      assert.equal((await w.settled(life, id)).state, 'success');
      assert.deepEqual(asked, [{ image: 'i', make: 'make!' }]);
      const middle = value ? ['fill/fetch done', 'fill/write done'] : [];
      assert.deepEqual(await w.story(id), ['make done', 'from-image chosen', ...middle, 'finish done']);
    }
  });

  for (const value of [true, false]) {
    test(`answered ${value} before a crash is not asked again after it`, async (w) => {
      fresh(value);
      const died = value ? 'fetch' : 'finish';
      const first = await w.live([chosen]);
      w.tools.on[died] = () => w.kill();
      const id = await w.begin(first, chosen, { image: 'i' });
      await first.journal.death;
      await first.die();
      delete w.tools.on[died];
      const asks = asked.length;
      answer = !value;
      const second = await w.live([chosen]);
      assert.equal((await w.settled(second, id)).state, 'success');
      assert.equal(asked.length, asks);
      assert.equal((await w.story(id)).includes('fill/fetch done'), value);
    });
  }

  test('whose predicate throws takes the flow back', async (w) => {
    const broken = flow<object>('broken')
      .add(makes('make'))
      .when('odd', breaks('cannot say'), fill)
      .build({ version: 1 });
    const life = await w.live([broken]);
    const id = await w.begin(life, broken, {});
    assert.equal((await w.settled(life, id)).state, 'reverted');
    assert.deepEqual(await w.story(id), ['make done', 'odd cancelled', 'make reverted']);
  });

  test('may stand in another one twice removed', async (w) => {
    const middle = flow<object>('middle')
      .when('wanted', () => false, fill)
      .add(makes('m'))
      .build({ version: 1 });
    const outer = flow<object>('outer').add(counts('o')).sub(middle).build({ version: 1 });
    const life = await w.live([outer]);
    const id = await w.begin(life, outer, {});
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(await w.story(id), ['o done', 'middle/wanted chosen', 'middle/m done']);
  });
});
