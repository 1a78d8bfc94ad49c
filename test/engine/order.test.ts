import assert from 'node:assert/strict';
import { proveEngine } from './journals.ts';
import { type Call, counts, flow, looks, makes, obligation, record, world } from './tasks.ts';

proveEngine('order and results', (test) => {
  const four = flow<{ volumeId: string }>('four')
    .add(counts('a'))
    .add(makes('b'))
    .add(counts('c'))
    .add(makes('d'))
    .build({ version: 1 });

  test('tasks run in order, and each sees the input and what earlier ones gave', async (w) => {
    const seen: object[] = [];
    for (const name of ['a', 'b', 'c', 'd']) w.tools.on[name] = ({ input }: Call) => seen.push(input);
    const life = await w.live([four]);
    const id = await w.begin(life, four, { volumeId: 'v' });
    assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(seen, [
      { volumeId: 'v' },
      { volumeId: 'v', a: 'a!' },
      { volumeId: 'v', a: 'a!', b: 'b!' },
      { volumeId: 'v', a: 'a!', b: 'b!', c: 'c!' },
    ]);
    assert.deepEqual(await w.story(id), ['a done', 'b done', 'c done', 'd done']);
    assert.deepEqual(await w.ground.rows(), { a: '1', c: '1' });
  });

  const create = flow<object>('create')
    .add(obligation({ name: 'owe', revert: () => {} }))
    .add(counts('reserve'))
    .add(makes('make'))
    .add(counts('ready'))
    .add(counts('told'))
    .build({ version: 1 });

  test('a flow with one world task costs two commits, the request’s own among them', async (w) => {
    const life = await w.live([create]);
    const before = w.ground.commits();
    await w.settled(life, await w.begin(life, create, {}));
    assert.equal(w.ground.commits() - before, 2);
  });

  const only = flow<object>('only').add(makes('make')).build({ version: 1 });

  test('a flow of one world task costs one commit after the request’s own', async (w) => {
    const life = await w.live([only]);
    const before = w.ground.commits();
    await w.settled(life, await w.begin(life, only, {}));
    assert.equal(w.ground.commits() - before, 2);
  });

  test('rebind reads a needed name from another one', async (w) => {
    const look = record({
      name: 'look',
      execute: async ({ sourceId }: { sourceId: string }, { tx }) => tx.put('seen', sourceId),
    });
    const rebound = flow<{ volumeId: string }>('rebound')
      .add(look, { rebind: { sourceId: 'volumeId' } })
      .build({ version: 1 });
    const life = await w.live([rebound]);
    await w.settled(life, await w.begin(life, rebound, { volumeId: 'v' }));
    assert.deepEqual(await w.ground.rows(), { seen: 'v' });
  });

  test('a task that gives nothing, and one whose result has an absent member, are journaled', async (w) => {
    const none = world({ name: 'none', execute: () => {} });
    const some = world({
      name: 'some',
      execute: (): { x: string | undefined; y: null } => ({ x: undefined, y: null }),
    });
    const sparse = flow<object>('sparse').add(none).add(some).add(looks('after')).build({ version: 1 });
    const life = await w.live([sparse]);
    assert.equal((await w.settled(life, await w.begin(life, sparse, {}))).state, 'success');
  });

  test('what a task does to its input is not seen by others, nor by its own second try', async (w) => {
    const seen: unknown[] = [];
    const meddle = world({
      name: 'meddle',
      retry: { tries: 2, when: () => true, backoffMs: 1 },
      execute: (input: { spec: { sizeGiB: number } }) => {
        seen.push(input.spec.sizeGiB);
        input.spec.sizeGiB = 99;
      },
    });
    const look = record({
      name: 'look',
      execute: async ({ spec }: { spec: { sizeGiB: number } }, { tx }) => tx.put('size', String(spec.sizeGiB)),
    });
    const meddling = flow<{ spec: { sizeGiB: number } }>('meddling').add(meddle).add(look).build({ version: 1 });
    const life = await w.live([meddling]);
    const row = await w.settled(life, await w.begin(life, meddling, { spec: { sizeGiB: 1 } }));
    assert.equal(row.state, 'reverted', 'the input cannot be changed');
    assert.deepEqual(seen, [1, 1]);
  });

  test('what the caller does to the input after the flow has begun is not seen by it', async (w) => {
    const input = { spec: { sizeGiB: 1 } };
    const look = record({
      name: 'look',
      execute: async ({ spec }: { spec: { sizeGiB: number } }, { tx }) => tx.put('size', String(spec.sizeGiB)),
    });
    const looking = flow<{ spec: { sizeGiB: number } }>('looking').add(makes('a')).add(look).build({ version: 1 });
    w.tools.on.a = () => {
      input.spec.sizeGiB = 99;
    };
    const life = await w.live([looking]);
    await w.settled(life, await w.begin(life, looking, input));
    assert.deepEqual(await w.ground.rows(), { size: '1' });
  });

  test('a listener that throws harms no flow', async (w) => {
    const warned: string[] = [];
    const hear = (warning: Error): void => void warned.push(warning.message);
    process.on('warning', hear);
    try {
      const life = await w.live([only], {
        listen: () => {
          throw new Error('deaf');
        },
      });
      assert.equal((await w.settled(life, await w.begin(life, only, {}))).state, 'success');
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(warned.includes('deaf'));
    } finally {
      process.off('warning', hear);
    }
  });

  test('many flows at once share commits', async (w) => {
    const life = await w.live([create]);
    const before = w.ground.commits();
    const ids = await w.ground.transaction((tx) =>
      Promise.all(
        Array.from({ length: 20 }, () =>
          life.engine.begin(tx, create, {}, { resource: 'r', projectId: 'p', requestId: 'q' }),
        ),
      ),
    );
    for (const id of ids) assert.equal((await w.settled(life, id)).state, 'success');
    assert.deepEqual(await w.ground.rows(), { ready: '20', reserve: '20', told: '20' });
    if (w.kind !== 'memory') assert.ok(w.ground.commits() - before <= 12, `${w.ground.commits() - before} commits`);
  });
});
