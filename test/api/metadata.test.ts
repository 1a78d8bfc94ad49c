/** The metadata of volumes and of snapshots: the same six calls. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { uuid } from '../../src/lib/clock.ts';
import { freshWorld, type World } from './world.ts';

async function resource(
  world: World,
  kind: 'volumes' | 'snapshots',
  metadata: Record<string, string>,
): Promise<string> {
  const volume = await world.volume({ metadata });
  const { id } = kind === 'volumes' ? volume : await world.snapshot(volume, { metadata });
  return `/${kind}/${id}/metadata`;
}

for (const kind of ['volumes', 'snapshots'] as const) {
  describe(`the metadata of ${kind}`, () => {
    it('is shown, added to, replaced, and taken away', async (context) => {
      const world = await freshWorld(context);
      const path = await resource(world, kind, { a: '1' });
      const now = async () => (await world.get(path)).body.metadata;
      assert.deepEqual(await now(), { a: '1' });
      const added = await world.ask('POST', path, { body: { metadata: { b: '2' } } });
      assert.deepEqual([added.status, added.body], [200, { metadata: { a: '1', b: '2' } }]);
      const replaced = await world.ask('PUT', path, { body: { metadata: { c: '3' } } });
      assert.deepEqual([replaced.status, replaced.body], [200, { metadata: { c: '3' } }]);
      assert.deepEqual((await world.get(`${path}/c`)).body, { meta: { c: '3' } });
      const item = await world.ask('PUT', `${path}/d`, { body: { meta: { d: '4' } } });
      assert.deepEqual([item.status, item.body], [200, { meta: { d: '4' } }]);
      const removed = await world.ask('DELETE', `${path}/c`);
      assert.deepEqual([removed.status, removed.text], [200, '']);
      assert.deepEqual(await now(), { d: '4' });
      assert.deepEqual((await world.ask('PUT', path, { body: { metadata: {} } })).body, { metadata: {} });
    });

    it('has keys that any object has, as keys', async (context) => {
      const world = await freshWorld(context);
      const path = await resource(world, kind, {});
      const metadata = '{"__proto__":"a","constructor":"b"}';
      const answer = await world.ask('POST', path, { body: `{"metadata":${metadata}}` });
      assert.equal(answer.text, `{"metadata":${metadata}}`);
      assert.equal((await world.get(`${path}/__proto__`)).text, '{"meta":{"__proto__":"a"}}');
      assert.equal((await world.ask('GET', `${path}/toString`)).status, 404);
      assert.equal((await world.ask('DELETE', `${path}/toString`)).status, 404);
      assert.equal((await world.ask('DELETE', `${path}/__proto__`)).status, 200);
      assert.equal((await world.get(path)).text, '{"metadata":{"constructor":"b"}}');
    });

    it('is not found where there is none', async (context) => {
      const world = await freshWorld(context);
      const path = await resource(world, kind, { a: '1' });
      assert.equal((await world.ask('GET', `${path}/b`)).status, 404);
      assert.equal((await world.ask('DELETE', `${path}/b`)).status, 404);
      for (const [method, body] of [['GET'], ['POST', { metadata: {} }], ['PUT', { metadata: {} }]] as const) {
        const answer = await world.ask(method, `/${kind}/${uuid()}/metadata`, body === undefined ? {} : { body });
        assert.equal(answer.status, 404, method);
      }
    });

    it('is refused when it is not what it must be', async (context) => {
      const world = await freshWorld(context);
      const path = await resource(world, kind, { a: '1' });
      for (const [method, to, body] of [
        ['POST', path, {}],
        ['POST', path, { metadata: null }],
        ['POST', path, { metadata: { a: null } }],
        ['POST', path, { metadata: { ['k'.repeat(256)]: 'v' } }],
        ['PUT', path, { metadata: { a: 'v'.repeat(256) } }],
        ['PUT', path, { metadata: {}, more: 1 }],
        ['PUT', `${path}/a`, { meta: { b: '1' } }],
        ['PUT', `${path}/a`, { meta: { a: '1', b: '2' } }],
        ['PUT', `${path}/a`, { meta: {} }],
      ] as const) {
        const answer = await world.ask(method, to, { body });
        assert.equal(answer.status, 400, `${method} ${JSON.stringify(body)}`);
      }
      assert.deepEqual((await world.get(path)).body, { metadata: { a: '1' } });
    });
  });
}

describe('a mark of the metadata', () => {
  it('is told from 3.15 on, and a change that names an older one is refused', async (context) => {
    const world = await freshWorld(context);
    const path = await resource(world, 'volumes', { a: '1' });
    assert.equal((await world.get(path, { version: '3.14' })).headers.etag, undefined);
    const etag = String((await world.get(path, { version: '3.15' })).headers.etag);
    assert.match(etag, /^"[0-9a-f]{32}"$/);
    const change = (match: string, version = '3.15') =>
      world.ask('POST', path, { version, headers: { 'if-match': match }, body: { metadata: { b: '2' } } });
    assert.equal((await change('"0123456789abcdef0123456789abcdef"')).status, 412);
    assert.deepEqual((await world.get(path)).body.metadata, { a: '1' });
    assert.equal((await change(etag)).status, 200);
    const stale = await change(etag);
    assert.deepEqual([stale.status, stale.body.computeFault.code], [412, 412]);
    const bare = String((await world.get(path, { version: '3.15' })).headers.etag).replaceAll('"', '');
    assert.equal((await change(`"other", ${bare}`)).status, 200);
    assert.equal((await change('*')).status, 200);
    assert.equal((await change('"other"', '3.14')).status, 200);
    const remove = { version: '3.15', headers: { 'if-match': '"other"' } };
    assert.equal((await world.ask('DELETE', `${path}/a`, remove)).status, 412);
  });
});
