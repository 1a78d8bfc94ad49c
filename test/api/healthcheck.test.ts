/** What `/healthcheck` tells load balancers, and `/pumice/v1/health` administrators. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readinessOf } from '../../src/api/readiness.ts';
import { recordHeartbeat } from '../../src/db/services.ts';
import { freshWorld, onBoth, type World } from './world.ts';

const OPEN = { project: null } as const;
const check = (world: World, method = 'GET', path = '') => world.ask(method, `//healthcheck${path}`, OPEN);

const HOST = 'node@file';
const FAILURE = 'The directory /srv/secret-place is not there.';

async function report(world: World, host: string, binary: string, failure: string | null): Promise<void> {
  const beat = { host, binary, availabilityZone: 'nova', pools: [], failure };
  await world.service.db.write((tx) => recordHeartbeat(tx, beat));
}

/** As if it had been told long ago. */
async function age(world: World, binary: string): Promise<void> {
  await world.service.db.write(({ db }) =>
    db.updateTable('service').set({ updated_at: '2026-01-01T00:00:00.000000' }).where('binary', '=', binary).execute(),
  );
}

describe('/healthcheck', () => {
  it('is OK where all is well, as text whatever is asked for, and to a HEAD says so without a word', async (context) => {
    const world = await freshWorld(context, { running: true });
    for (const accept of ['*/*', 'application/json', 'text/html']) {
      const answer = await world.ask('GET', '//healthcheck', { ...OPEN, headers: { accept } });
      assert.deepEqual([answer.status, answer.text], [200, 'OK']);
      assert.match(String(answer.headers['content-type']), /^text\/plain/);
    }
    const head = await check(world, 'HEAD');
    assert.deepEqual([head.status, head.text], [204, '']);
  });

  onBoth('says 503 while no backend can be used, and tells nobody which and why', async (context, database) => {
    const world = await freshWorld(context, { database });
    await report(world, HOST, 'cinder-volume', FAILURE);
    const answer = await check(world);
    assert.equal(answer.status, 503);
    assert.deepEqual(answer.body, { detailed: false, reasons: ['No backend can be used.'] });
    assert.equal((await check(world, 'HEAD')).status, 503);
    await report(world, 'other@file', 'cinder-volume', null);
    assert.equal((await check(world)).status, 200);
    await age(world, 'cinder-volume');
    assert.equal((await check(world)).status, 503);
    await report(world, HOST, 'cinder-volume', null);
    assert.equal((await check(world)).status, 200);
  });

  onBoth('says 503 when the database takes no sign of life any more', async (context, database) => {
    const world = await freshWorld(context, { database });
    await report(world, 'node', 'cinder-scheduler', null);
    await age(world, 'cinder-scheduler');
    const { status, body } = await check(world);
    assert.deepEqual([status, body.reasons.length], [503, 1]);
    assert.match(body.reasons[0], /^The database has taken no sign of life/);
    await report(world, 'another', 'cinder-scheduler', null);
    assert.equal((await check(world)).status, 503);
    await report(world, 'node', 'cinder-scheduler', null);
    assert.equal((await check(world)).status, 200);
  });

  onBoth('says 503 when the database fails, and when it is silent', async (context, database) => {
    const world = await freshWorld(context, { database });
    const { reader } = world.service.db;
    const query = reader.query.bind(reader);
    context.after(() => Object.assign(reader, { query }));
    reader.query = () => Promise.reject(new Error('gone'));
    const answer = await check(world);
    assert.deepEqual([answer.status, answer.body.reasons], [503, ['The database does not answer.']]);
    assert.deepEqual(
      [(await check(world, 'GET', '/live')).status, (await check(world, 'GET', '/live')).text],
      [200, 'OK'],
    );
    reader.query = () => new Promise(() => {});
    assert.deepEqual((await readinessOf(world.service.desk, 1)).reasons, ['The database does not answer.']);
    reader.query = query;
    assert.equal((await check(world)).status, 200);
  });
});

describe('/pumice/v1/health', () => {
  it('tells administrators of each service, with the reason', async (context) => {
    const world = await freshWorld(context);
    await report(world, HOST, 'cinder-volume', FAILURE);
    const { body } = await world.get('//pumice/v1/health');
    assert.deepEqual(
      { ...body, services: body.services.map(({ updated_at, ...rest }: { updated_at: string }) => rest) },
      {
        is_ready: false,
        reasons: ['No backend can be used.'],
        node: 'node',
        services: [{ host: HOST, binary: 'cinder-volume', is_up: false, failure: FAILURE }],
      },
    );
  });
});
