import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { now, uuid } from '../../src/lib/clock.ts';
import { beat } from './heartbeats.ts';
import { type Answer, freshWorld, PROJECT, until, type World } from './world.ts';

const version = '3.24';

const cleanup = (world: World, body: object = {}): Promise<Answer> =>
  world.ask('POST', '/workers/cleanup', { version, body });

async function threeServices(world: World): Promise<void> {
  await beat(world, { host: 'node', binary: 'cinder-scheduler' });
  await beat(world, { host: 'node@file' });
  await beat(world, { host: 'node2@file', silentFor: 61 });
}

/** A flow whose revert has given up; nobody runs it. */
async function stuck(world: World, resource: string, lane: string): Promise<string> {
  const id = uuid();
  const at = now();
  await world.service.db.write(({ db }) =>
    db
      .insertInto('flow')
      .values({
        id,
        name: 'create_volume',
        version: 1,
        lane,
        state: 'stuck',
        input: '{}',
        owner: null,
        epoch: 1,
        seq: 0,
        wish: null,
        wish_reason: null,
        claims: 0,
        doing: null,
        resource,
        project_id: PROJECT,
        request_id: 'req-1',
        created_at: at,
        updated_at: at,
        ended_at: null,
      })
      .execute(),
  );
  return id;
}

async function wishOf(world: World, id: string): Promise<string | null | undefined> {
  const row = await world.service.db.read.selectFrom('flow').select('wish').where('id', '=', id).executeTakeFirst();
  return row?.wish;
}

const hosts = (services: readonly { readonly host: string }[]): string[] => services.map(({ host }) => host);

async function cleaned(world: World, body: object): Promise<[cleaning: string[], unavailable: string[]]> {
  const answer = await cleanup(world, body);
  assert.equal(answer.status, 202, answer.text);
  return [hosts(answer.body.cleaning), hosts(answer.body.unavailable)];
}

describe('a clean-up of workers', () => {
  it('names the services that clean and those that cannot, with exactly the keys that clients expect', async (context) => {
    const world = await freshWorld(context);
    await threeServices(world);
    const { status, body } = await cleanup(world);
    assert.equal(status, 202);
    assert.deepEqual(Object.keys(body).sort(), ['cleaning', 'unavailable']);
    assert.deepEqual(hosts(body.cleaning), ['node', 'node@file']);
    assert.match(body.cleaning[1].id, /^[0-9a-f-]{36}$/);
    const { id } = body.unavailable[0];
    assert.deepEqual(body.unavailable, [{ id, host: 'node2@file', binary: 'cinder-volume', cluster_name: null }]);
  });

  it('is for the services that are named', async (context) => {
    const world = await freshWorld(context);
    await threeServices(world);
    await world.ask('PUT', '/os-services/disable', { body: { host: 'node@file', binary: 'cinder-volume' } });
    const [, { id }] = (await cleanup(world)).body.cleaning;
    assert.deepEqual(await cleaned(world, { host: 'node' }), [['node', 'node@file'], []]);
    assert.deepEqual(await cleaned(world, { host: 'node2' }), [[], ['node2@file']]);
    assert.deepEqual(await cleaned(world, { binary: 'cinder-scheduler' }), [['node'], []]);
    assert.deepEqual(await cleaned(world, { is_up: 'False' }), [[], ['node2@file']]);
    assert.deepEqual(await cleaned(world, { disabled: true }), [['node@file'], []]);
    assert.deepEqual(await cleaned(world, { service_id: id }), [['node@file'], []]);
    assert.deepEqual(await cleaned(world, { service_id: 1 }), [[], []]);
    assert.deepEqual(await cleaned(world, { cluster_name: 'c' }), [[], []]);
    assert.deepEqual(await cleaned(world, { cluster_name: null, host: '' }), [['node', 'node@file'], ['node2@file']]);
  });

  it('tries again what is stuck, where it cleans and of what is named', async (context) => {
    const world = await freshWorld(context);
    await threeServices(world);
    const [a, b] = [uuid(), uuid()];
    const here = await stuck(world, `volume:${a}`, 'host:node@file');
    const there = await stuck(world, `snapshot:${b}`, 'host:node2@file');
    const central = await stuck(world, `snapshot:${b}`, 'control');

    assert.deepEqual(await cleaned(world, { resource_id: uuid() }), [[], []]);
    assert.deepEqual(await cleaned(world, { until: '2020-01-01T00:00:00', resource_id: a }), [[], []]);
    assert.equal(await wishOf(world, here), null);
    assert.deepEqual(await cleaned(world, { resource_type: 'Volume', resource_id: a }), [['node@file'], []]);
    assert.equal(await wishOf(world, here), 'resume');
    assert.equal(await wishOf(world, central), null);
    assert.deepEqual(await cleaned(world, { resource_type: 'Snapshot' }), [['node'], ['node2@file']]);
    assert.equal(await wishOf(world, central), 'resume');
    assert.equal(await wishOf(world, there), null);
  });

  it('makes a service that runs take up what nobody runs', async (context) => {
    const world = await freshWorld(context, { running: true });
    const lost = await stuck(world, `volume:${uuid()}`, 'control');
    const answer = await cleanup(world, { binary: 'cinder-scheduler' });
    assert.deepEqual(hosts(answer.body.cleaning), ['node']);
    const state = async () => {
      const { epoch } = await world.service.db.read
        .selectFrom('flow')
        .select('epoch')
        .where('id', '=', lost)
        .executeTakeFirstOrThrow();
      return { status: Number(epoch), headers: {}, text: '', body: undefined };
    };
    await until(state, ({ status }) => status > 1);
  });

  it('must be asked for in words that mean something, and is not there before 3.24', async (context) => {
    const world = await freshWorld(context);
    for (const wrong of [
      { binary: 'nova-compute' },
      { is_up: 'maybe' },
      { resource_id: 'x' },
      { resource_type: 'Backup' },
      { until: 'tomorrow' },
      { color: 'red' },
    ])
      assert.equal((await cleanup(world, wrong)).status, 400, JSON.stringify(wrong));
    assert.equal((await world.ask('POST', '/workers/cleanup', { version: '3.23', body: {} })).status, 404);
  });
});
