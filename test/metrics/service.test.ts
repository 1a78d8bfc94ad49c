/** What a service tells of itself after real work, to one that scrapes it. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { UPKEEP } from '../../src/model/upkeep.ts';
import { askOverSocket } from '../api/over-socket.ts';
import { freshWorld, PROJECT, until, type World, type WorldOptions } from '../api/world.ts';
import { freshPostgresql } from '../databases.ts';
import { noPromtool, promtool } from './promtool.ts';
import { type Reading, readText, sampleOf } from './read-text.ts';

const REQUESTS = 'pumice_http_request_duration_seconds_count';
const FLOWS = 'pumice_flow_duration_seconds_count';
const ON = ['metrics.enabled=true', 'metrics.port=0', 'api.port=0'];

async function measured(context: TestContext, { set = [], ...options }: WorldOptions = {}): Promise<World> {
  return freshWorld(context, { running: true, ...options, set: [...ON, ...set] });
}

async function textOf(world: World): Promise<string> {
  const text = await world.service.metrics?.text();
  assert.ok(text !== undefined, 'metrics are off');
  return text;
}

async function scrape(world: World): Promise<Reading> {
  const reading = readText(await textOf(world));
  assert.deepEqual(reading.complaints, []);
  return reading;
}

/** What is counted when an answer has gone, and a flow ended, is there a moment later. */
async function scrapeUntil(world: World, is: (reading: Reading) => boolean, what: string): Promise<Reading> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const reading = await scrape(world);
    if (is(reading)) return reading;
    assert.ok(performance.now() < deadline, `never told: ${what}`);
    await pause(10);
  }
}

async function created(world: World): Promise<string> {
  const { body } = await world.ask('POST', '/volumes', { body: { volume: { size: 1 } } });
  await until(
    () => world.ask('GET', `/volumes/${body.volume.id}`),
    (answer) => answer.body.volume.status === 'available',
  );
  return body.volume.id;
}

describe('the metrics of a service', () => {
  test('are right in form and tell of requests, flows, pools and the database after real work', async (context) => {
    const world = await measured(context, { set: ['notifications.drivers=["file"]'] });
    await created(world);
    await world.ask('GET', '/volumes/00000000-0000-0000-0000-000000000000');
    await world.ask('GET', '/nowhere');
    await world.get('//pumice/v1/whoami');
    const reading = await scrapeUntil(
      world,
      (now) => sampleOf(now, FLOWS, { flow: 'create_volume', outcome: 'success' }) === 1,
      'the end of the flow',
    );
    const route = { method: 'GET', route: '/v3/volumes/:id' };
    assert.equal(sampleOf(reading, REQUESTS, { method: 'POST', route: '/v3/volumes', status: '2xx' }), 1);
    assert.equal(sampleOf(reading, REQUESTS, { ...route, status: '4xx' }), 1);
    assert.ok((sampleOf(reading, REQUESTS, { ...route, status: '2xx' }) ?? 0) >= 1);
    assert.equal(sampleOf(reading, REQUESTS, { route: 'none', status: '4xx' }), 1);
    assert.equal(sampleOf(reading, REQUESTS, { route: '/pumice/v1/whoami', status: '2xx' }), 1);
    assert.equal(sampleOf(reading, 'pumice_pool_volumes', { pool: 'node@file#file' }), 1);
    assert.equal(sampleOf(reading, 'pumice_pool_promised_bytes', { pool: 'node@file#file' }), 1024 ** 3);
    assert.ok((sampleOf(reading, 'pumice_pool_capacity_bytes', { pool: 'node@file#file' }) ?? 0) > 1024 ** 2);
    assert.equal(sampleOf(reading, 'pumice_service_up', { binary: 'cinder-volume', host: 'node@file' }), 1);
    assert.equal(sampleOf(reading, 'pumice_service_enabled', { binary: 'cinder-volume', host: 'node@file' }), 1);
    assert.deepEqual(
      ['pending', 'running', 'waiting', 'reverting', 'stuck'].map((state) =>
        sampleOf(reading, 'pumice_flows', { state }),
      ),
      [0, 0, 0, 0, 0],
    );
    assert.equal(sampleOf(reading, 'pumice_database_commit_duration_seconds_count'), world.service.db.stats.commits);
    assert.equal(sampleOf(reading, 'pumice_database_up'), 1);
    assert.notEqual(sampleOf(reading, 'pumice_event_sink_lag_seconds', { sink: 'file' }), undefined);
    for (const upkeep of Object.keys(UPKEEP)) assert.equal(sampleOf(reading, 'pumice_upkeep_troubles', { upkeep }), 0);
  });

  test('are the families that docs/monitoring.md lists, with the labels it names', async (context) => {
    const world = await measured(context, { set: ['notifications.drivers=["file"]'] });
    await created(world);
    const reading = await scrapeUntil(world, (now) => sampleOf(now, FLOWS) === 1, 'the end of the flow');
    const [ours = ''] = readFileSync('docs/monitoring.md', 'utf8').split('## Alerts');
    const rows = [...ours.matchAll(/^\| `(\w+)` \| *([\w, ]*?) *\|/gm)];
    const documented = new Map(rows.map(([, name = '', labels = '']) => [name, labels.split(', ')]));
    assert.deepEqual([...documented.keys()].toSorted(), reading.families.map(({ name }) => name).toSorted());
    for (const { name, samples } of reading.families)
      for (const { labels } of samples)
        for (const label of Object.keys(labels))
          assert.ok(label === 'le' || documented.get(name)?.includes(label), `${name}: ${label}`);
  });

  test('pass the linter of Prometheus', { skip: noPromtool ?? false }, async (context) => {
    const world = await measured(context, { set: ['notifications.drivers=["file"]'] });
    await created(world);
    await scrapeUntil(world, (now) => sampleOf(now, FLOWS, { flow: 'create_volume' }) === 1, 'the end of the flow');
    assert.deepEqual(promtool(['check', 'metrics'], await textOf(world)), { code: 0, said: '' });
  });

  test('have no more series for more volumes, and no id in a label', async (context) => {
    const world = await measured(context);
    const ends = (flows: number) => (now: Reading) => sampleOf(now, FLOWS, { flow: 'create_volume' }) === flows;
    const series = ({ families }: Reading) => families.flatMap(({ samples }) => samples);
    await created(world);
    await created(world);
    const few = series(await scrapeUntil(world, ends(2), 'two flows'));
    await Promise.all(Array.from({ length: 6 }, () => created(world)));
    const many = series(await scrapeUntil(world, ends(8), 'eight flows'));
    const names = (samples: typeof few) => samples.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`);
    assert.deepEqual(names(many), names(few));
    const isId = /[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{32}|req-/;
    assert.deepEqual(
      names(many).filter((name) => isId.test(name)),
      [],
    );
  });

  test('tell an action of its own, and the way that an answer took from memory', async (context) => {
    const world = await measured(context);
    const id = await created(world);
    await world.ask('POST', `/volumes/${id}/action`, { body: { 'os-set_bootable': { bootable: true } } });
    const address = await world.service.listen();
    const path = `/v3/${PROJECT}/volumes/${id}`;
    const before = await scrape(world);
    const gets = { method: 'GET', route: '/v3/volumes/:id', status: '2xx' };
    const asked = 5;
    for (let each = 0; each < asked; each += 1) assert.equal((await askOverSocket(address, path)).status, 200);
    const counted = (now: Reading) => (sampleOf(now, REQUESTS, gets) ?? 0) - (sampleOf(before, REQUESTS, gets) ?? 0);
    const reading = await scrapeUntil(world, (now) => counted(now) === asked, 'each get');
    const hits = ['fast', 'slow'].map((way) => sampleOf(reading, 'pumice_response_cache_hits_total', { way }) ?? 0);
    assert.ok((hits[0] ?? 0) > 0, `nothing took the fast path: ${hits}`);
    assert.equal(
      sampleOf(reading, REQUESTS, { route: '/v3/volumes/:id/action', action: 'os-set_bootable', status: '2xx' }),
      1,
    );
  });

  test('count as failed what fails: a flow that is reverted, with each revert', async (context) => {
    const world = await measured(context);
    const { body } = await world.ask('POST', '/volumes', { body: { volume: { size: 1_000_000_000 } } });
    assert.equal(body.volume, undefined);
    rmSync(`${world.config.data_directory}/volumes`, { recursive: true });
    await world.ask('POST', '/volumes', { body: { volume: { size: 1 } } });
    const reading = await scrapeUntil(
      world,
      (now) => sampleOf(now, FLOWS, { flow: 'create_volume', outcome: 'reverted' }) === 1,
      'the end of the flow',
    );
    assert.ok((sampleOf(reading, 'pumice_flow_reverts_total', { flow: 'create_volume' }) ?? 0) > 0);
    assert.ok((sampleOf(reading, 'pumice_flow_task_failures_total', { flow: 'create_volume' }) ?? 0) > 0);
  });

  test('are told at an address of their own, which ends with the service', async (context) => {
    const world = await measured(context, { set: ['metrics.bearer_token=a.secret'] });
    assert.equal(world.service.metrics?.address, undefined);
    await world.service.listen();
    const headers = { authorization: 'Bearer a.secret' };
    const answer = await fetch(`${world.service.metrics?.address}/metrics`, { headers });
    assert.equal(answer.status, 200);
    assert.deepEqual(readText(await answer.text()).complaints, []);
    assert.equal((await fetch(`${world.service.metrics?.address}/metrics`)).status, 401);
  });

  test('are not there unless they are asked for', async (context) => {
    const { service } = await freshWorld(context, { running: true, set: ['api.port=0'] });
    await service.listen();
    assert.deepEqual(service.metrics, undefined);
  });

  test('are told of the process alone while the database is silent', async (context) => {
    const world = await measured(context);
    const { ownership } = world.service.db;
    const take = ownership.take.bind(ownership);
    ownership.take = () => Promise.reject(new Error('gone'));
    const without = await scrape(world);
    assert.equal(sampleOf(without, 'pumice_database_up'), 0);
    assert.equal(sampleOf(without, 'pumice_pool_volumes'), undefined);
    assert.ok((sampleOf(without, 'process_resident_memory_bytes') ?? 0) > 0);
    ownership.take = take;
    assert.equal(sampleOf(await scrape(world), 'pumice_database_up'), 1);
  });

  test('of two processes on one PostgreSQL add up: what the tables say is told by one of them', async (context) => {
    const database = await freshPostgresql();
    if ('missing' in database) return context.skip(`PostgreSQL: ${database.missing}`);
    // Who is closed last removes the database.
    const kept = { url: database.url, remove: async () => {} };
    const one = await measured(context, { database });
    const other = await measured(context, { database: kept, set: ['node_name=other'] });
    await created(one);
    await created(other);
    const sum = async (worlds: readonly World[], name: string) => {
      const readings = await Promise.all(worlds.map(scrape));
      return readings
        .flatMap(({ families }) => families.flatMap(({ samples }) => samples))
        .reduce((all, sample) => (sample.name === name ? all + sample.value : all), 0);
    };
    assert.equal(await sum([one, other], 'pumice_tells_of_tables'), 1);
    assert.equal(await sum([one, other], 'pumice_pool_volumes'), 2);
    assert.equal(await sum([one, other], 'pumice_build_info'), 2);
    const leader = (await sum([one], 'pumice_tells_of_tables')) === 1 ? one : other;
    const follower = leader === one ? other : one;
    await leader.service.db.ownership.release('pumice-events');
    await scrapeUntil(follower, (now) => sampleOf(now, 'pumice_tells_of_tables') === 1, 'the other has taken over');
    assert.equal(await sum([follower], 'pumice_pool_volumes'), 2);
  });
});
