/** `snapshots`, version by version: what is shown, and what may be asked. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { uuid } from '../../src/lib/clock.ts';
import { SNAPSHOT_STATUSES } from '../../src/model/status.ts';
import { freshWorld, PROJECT, until } from './world.ts';

const SUMMARY = ['created_at', 'description', 'id', 'metadata', 'name', 'size', 'status', 'updated_at', 'volume_id'];
const EXTENDED = ['os-extended-snapshot-attributes:progress', 'os-extended-snapshot-attributes:project_id'];
const ADDED: readonly [since: number, field: string][] = [
  [14, 'group_snapshot_id'],
  [41, 'user_id'],
  [65, 'consumes_quota'],
];
const keys = (value: object): string[] => Object.keys(value).sort();

describe('a snapshot is shown', () => {
  for (const minor of [0, ...ADDED.flatMap(([since]) => [since - 1, since]), 71]) {
    it(`at 3.${minor} with exactly its fields`, async (context) => {
      const world = await freshWorld(context);
      const volume = await world.volume({ host: 'node@file#file' });
      const snapshot = await world.snapshot(volume, { progress: '100%' });
      const asked = { version: `3.${minor}` };
      const added = ADDED.flatMap(([since, field]) => (since <= minor ? [field] : []));
      const detail = [...SUMMARY, ...EXTENDED, ...added].sort();
      const shown = (await world.get(`/snapshots/${snapshot.id}`, asked)).body.snapshot;
      assert.deepEqual(keys(shown), detail);
      assert.equal(shown['os-extended-snapshot-attributes:progress'], '100%');
      assert.equal(shown['os-extended-snapshot-attributes:project_id'], PROJECT);
      assert.deepEqual(keys((await world.get('/snapshots/detail', asked)).body.snapshots[0]), detail);
      assert.deepEqual(keys((await world.get('/snapshots', asked)).body.snapshots[0]), SUMMARY);
      const answer = [...SUMMARY, ...added].sort();
      const updated = await world.ask('PUT', `/snapshots/${snapshot.id}`, {
        ...asked,
        body: { snapshot: { name: 'x' } },
      });
      assert.deepEqual(keys(updated.body.snapshot), answer);
      const made = await world.ask('POST', '/snapshots', { ...asked, body: { snapshot: { volume_id: volume.id } } });
      assert.deepEqual(keys(made.body.snapshot), answer, made.text);
    });
  }

  it('not at all under a name that is none', async (context) => {
    const world = await freshWorld(context);
    for (const name of [uuid(), 'None', '']) assert.equal((await world.ask('GET', `/snapshots/${name}`)).status, 404);
  });
});

describe('a list of snapshots', () => {
  it('is sorted by name from 3.30 on', async (context) => {
    const world = await freshWorld(context);
    const volume = await world.volume();
    for (const name of ['b', 'a']) await world.snapshot(volume, { name });
    assert.equal((await world.ask('GET', '/snapshots?sort=name:asc', { version: '3.29' })).status, 400);
    const { body } = await world.get('/snapshots?sort=name:asc', { version: '3.30' });
    assert.deepEqual(
      body.snapshots.map(({ name }: { name: string }) => name),
      ['a', 'b'],
    );
  });

  it('links to its next page', async (context) => {
    const world = await freshWorld(context);
    const volume = await world.volume();
    for (const name of ['first', 'last']) await world.snapshot(volume, { name });
    const { body } = await world.get('/snapshots/detail?limit=1');
    const [{ href }] = body.snapshots_links;
    assert.equal(href, `http://pumice.test:8776/v3/${PROJECT}/snapshots/detail?limit=1&marker=${body.snapshots[0].id}`);
    const next = await world.get(href.replace('http://pumice.test:8776', '/'));
    assert.equal(next.body.snapshots[0].name, 'first');
  });

  it('is filtered by metadata from 3.22 on, and not before', async (context) => {
    const world = await freshWorld(context);
    await world.snapshot(await world.volume());
    const query = `/snapshots?metadata=${encodeURIComponent("{'a':'b'}")}`;
    assert.equal((await world.get(query, { version: '3.21' })).body.snapshots.length, 1);
    assert.equal((await world.get(query, { version: '3.22' })).body.snapshots.length, 0);
  });
});

describe('a snapshot is made', () => {
  const cases: readonly [
    what: string,
    status: 'available' | 'in-use' | 'error',
    more: object,
    version: string,
    answer: number,
  ][] = [
    ['of an available volume', 'available', {}, '3.0', 202],
    ['of a volume in use, without force below 3.66', 'in-use', {}, '3.65', 400],
    ['of a volume in use, with force below 3.66', 'in-use', { force: 'True' }, '3.65', 202],
    ['of a volume in use from 3.66 on', 'in-use', {}, '3.66', 202],
    ['with force from 3.66 on', 'in-use', { force: true }, '3.66', 202],
    ['with force denied below 3.66', 'available', { force: false }, '3.65', 202],
    ['with force denied from 3.66 on', 'available', { force: false }, '3.66', 400],
    ['with strange force', 'available', { force: 'perhaps' }, '3.0', 400],
    ['with nulls', 'available', { name: null, description: null, metadata: null, force: null }, '3.0', 202],
    ['of a volume in error', 'error', {}, '3.0', 400],
    ['with an unknown key below 3.53', 'available', { colour: 'red' }, '3.52', 202],
    ['with an unknown key from 3.53 on', 'available', { colour: 'red' }, '3.53', 400],
    ['with a long name', 'available', { name: 'n'.repeat(256) }, '3.0', 400],
  ];
  for (const [what, status, more, version, answer] of cases) {
    it(`${what}: ${answer}`, async (context) => {
      const world = await freshWorld(context);
      const { id } = await world.volume({ host: 'node@file#file', status });
      const made = await world.ask('POST', '/snapshots', { version, body: { snapshot: { volume_id: id, ...more } } });
      assert.equal(made.status, answer, made.text);
    });
  }

  it('of nothing or null: 404, of what is no id: 400', async (context) => {
    const world = await freshWorld(context);
    const make = (volume_id: unknown) => world.ask('POST', '/snapshots', { body: { snapshot: { volume_id } } });
    assert.equal((await make(uuid())).status, 404);
    assert.equal((await make('x')).status, 400);
    assert.equal((await make(null)).status, 404);
  });

  it('and deleted, in the end', async (context) => {
    const world = await freshWorld(context, { running: true });
    const { id } = (await world.ask('POST', '/volumes', { body: { volume: { size: 1 } } })).body.volume;
    await until(
      () => world.ask('GET', `/volumes/${id}`),
      ({ body }) => body.volume.status === 'available',
    );
    const body = { snapshot: { volume_id: id, name: ' s ', description: 'd', metadata: { a: 'b' } } };
    const made = (await world.ask('POST', '/snapshots', { body })).body.snapshot;
    assert.deepEqual([made.name, made.status, made.size, made.metadata], ['s', 'creating', 1, { a: 'b' }]);
    const show = () => world.ask('GET', `/snapshots/${made.id}`);
    await until(show, (answer) => answer.body.snapshot.status === 'available');
    assert.equal((await world.ask('DELETE', `/snapshots/${made.id}`)).status, 202);
    await until(show, ({ status }) => status === 404);
  });
});

describe('an update of a snapshot', () => {
  it('changes what is said and leaves the rest', async (context) => {
    const world = await freshWorld(context);
    const { id } = await world.snapshot(await world.volume(), { name: 'old', description: 'text' });
    const put = (snapshot: object, version = '3.0') =>
      world.ask('PUT', `/snapshots/${id}`, { version, body: { snapshot } });
    const { body } = await put({ display_name: ' new ' });
    assert.deepEqual([body.snapshot.name, body.snapshot.description], ['new', 'text']);
    for (const version of ['3.0', '3.52', '3.53']) assert.equal((await put({}, version)).status, 400);
    assert.equal((await put({ name: 'x', size: 1 }, '3.53')).status, 400);
    assert.equal((await world.ask('PUT', `/snapshots/${id}`, { body: {} })).status, 400);
    assert.equal((await world.ask('PUT', `/snapshots/${uuid()}`, { body: { snapshot: { name: 'x' } } })).status, 404);
  });
});

describe('an action of a snapshot', () => {
  it('resets its status, and tells it', async (context) => {
    const world = await freshWorld(context);
    const { id } = await world.snapshot(await world.volume());
    const act = (name: string, value: unknown) =>
      world.ask('POST', `/snapshots/${id}/action`, { body: { [name]: value } });
    assert.equal((await act('os-reset_status', { status: 'error' })).status, 202);
    assert.equal((await world.get(`/snapshots/${id}`)).body.snapshot.status, 'error');
    for (const status of ['nice', null, 'in-use']) assert.equal((await act('os-reset_status', { status })).status, 400);
    for (const body of [{}, { status: '' }]) assert.equal((await act('os-reset_status', body)).status, 400);
    const events = await world.service.db.read.selectFrom('outbox').select('event_type').orderBy('seq').execute();
    assert.deepEqual(
      events.map(({ event_type }) => event_type),
      ['snapshot.reset_status.start', 'snapshot.reset_status.end'],
    );
  });

  it('resets it to any status there is, in upper or lower case', async (context) => {
    const world = await freshWorld(context);
    const { id } = await world.snapshot(await world.volume());
    for (const status of SNAPSHOT_STATUSES) {
      for (const said of [status, status.toUpperCase()]) {
        const body = { 'os-reset_status': { status: said } };
        assert.equal((await world.ask('POST', `/snapshots/${id}/action`, { body })).status, 202, said);
      }
    }
  });

  it('of a compute service says how far it is, only in the order of things', async (context) => {
    const world = await freshWorld(context);
    const { id } = await world.snapshot(await world.volume(), { status: 'creating' });
    const tell = (status: string, progress?: unknown) =>
      world.ask('POST', `/snapshots/${id}/action`, {
        body: { 'os-update_snapshot_status': { status, ...(progress !== undefined && { progress }) } },
      });
    assert.equal((await tell('creating', '40%')).status, 202);
    const shown = (await world.get(`/snapshots/${id}`)).body.snapshot;
    assert.equal(shown['os-extended-snapshot-attributes:progress'], '40%');
    for (const progress of ['40', '101%', '-1%', 40]) assert.equal((await tell('creating', progress)).status, 400);
    assert.equal((await tell('error_deleting')).status, 400);
    assert.equal((await tell('available', '100%')).status, 202);
    assert.equal((await tell('error')).status, 400);
  });

  it('deletes by force, and takes out of management', async (context) => {
    const world = await freshWorld(context);
    const volume = await world.volume({ host: 'node@file#file' });
    const [stuck, fine] = [await world.snapshot(volume, { status: 'error_deleting' }), await world.snapshot(volume)];
    assert.equal((await world.ask('DELETE', `/snapshots/${stuck.id}`)).status, 400);
    assert.equal(
      (await world.ask('POST', `/snapshots/${stuck.id}/action`, { body: { 'os-force_delete': {} } })).status,
      202,
    );
    assert.equal(
      (await world.ask('POST', `/snapshots/${fine.id}/action`, { body: { 'os-unmanage': {} } })).status,
      202,
    );
    assert.equal((await world.get(`/snapshots/${fine.id}`)).body.snapshot.status, 'unmanaging');
    assert.equal((await world.ask('POST', '/snapshots/None/action', { body: { 'os-unmanage': {} } })).status, 404);
  });
});
