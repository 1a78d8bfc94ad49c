/** That alarms begin and end once, in the database, in the outbox and in the log, whoever keeps the watch. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import pg from 'pg';
import { AlarmWatch, type AlarmWatchOptions } from '../../src/alarms/alarm-watch.ts';
import { listAlarms } from '../../src/db/alarms.ts';
import type { Database } from '../../src/db/database.ts';
import { heldBackEvents } from '../../src/db/held-back-events.ts';
import { appendEvents } from '../../src/db/outbox.ts';
import { recordHeartbeat } from '../../src/db/services.ts';
import { fromNow, now, uuid } from '../../src/lib/clock.ts';
import { createLog } from '../../src/lib/logging.ts';
import { freshWorld } from '../api/world.ts';
import { freshPostgresql } from '../databases.ts';
import { proveStore } from '../prove-store.ts';

const HOST = 'n@b';

async function report(database: Database, failure: string | null): Promise<void> {
  const beat = { host: HOST, binary: 'cinder-volume', availabilityZone: 'nova', pools: [], failure };
  await database.write((tx) => recordHeartbeat(tx, beat));
}

function watch(db: Database, given: Partial<AlarmWatchOptions> = {}) {
  let ms = 0;
  const lines: string[] = [];
  const log = createLog({ level: 'info', to: { write: (line) => void lines.push(line) } });
  const kept = new AlarmWatch({
    ...{ db, log, node: 'n', serviceDownSeconds: 60, leads: async () => true },
    deliveredUpTo: () => new Map(),
    found: () => null,
    elapsed: () => ms,
    ...given,
  });
  return {
    /** After so many seconds. */
    async round(seconds = 0): Promise<void> {
      ms += seconds * 1000;
      await kept.round();
    },
    log: () => lines.map((line) => JSON.parse(line)).map(({ msg, alarm, about }) => `${msg}: ${alarm} of ${about}`),
  };
}

async function events({ read }: Database): Promise<readonly string[]> {
  const rows = await read.selectFrom('outbox').select(['event_type', 'resource']).orderBy('seq').execute();
  return rows.map(({ event_type, resource }) => `${event_type} ${resource}`);
}

const lasting = async (db: Database) => (await listAlarms(db.read)).map(({ alarm, about }) => `${alarm} of ${about}`);

const DOWN = 'backend_down of backend n@b';
const START = 'pumice.alarm.start alarm:backend_down:backend n@b';
const END = 'pumice.alarm.end alarm:backend_down:backend n@b';

proveStore('the watch over alarms', (test) => {
  test('begins one that has lasted and ends one that has been gone, each with an event and a line of the log', async ({
    database,
  }) => {
    const one = watch(database);
    await report(database, 'not mounted');
    await one.round();
    await one.round(29);
    assert.deepEqual(await lasting(database), []);
    await one.round(1);
    assert.deepEqual(await lasting(database), [DOWN]);
    await one.round(60);
    await report(database, null);
    await one.round(15);
    assert.deepEqual(await lasting(database), [DOWN]);
    await one.round(30);
    assert.deepEqual(await lasting(database), []);
    await one.round(60);
    assert.deepEqual(await events(database), [START, END]);
    assert.deepEqual(one.log(), [`alarm begins: ${DOWN}`, `alarm ends: ${DOWN}`]);
  });

  test('tells nothing of what is over before it has lasted, and nothing of what is gone for a moment', async ({
    database,
  }) => {
    const one = watch(database);
    for (const failure of ['not mounted', null, 'not mounted', null]) {
      await report(database, failure);
      await one.round(20);
    }
    assert.deepEqual(await events(database), []);
    await report(database, 'not mounted');
    await one.round(20);
    await one.round(40);
    for (const failure of [null, 'not mounted', null, 'not mounted']) {
      await report(database, failure);
      await one.round(20);
    }
    assert.deepEqual([await lasting(database), await events(database)], [[DOWN], [START]]);
  });

  test('begins and ends each once though several keep it, one after the other or at once', async ({ database }) => {
    const [one, other] = [watch(database), watch(database)];
    const both = async (seconds: number) => {
      await Promise.all([one.round(seconds), other.round(seconds)]);
    };
    await report(database, 'not mounted');
    await both(0);
    await both(31);
    assert.deepEqual(await events(database), [START]);
    const heir = watch(database);
    await heir.round();
    await heir.round(60);
    assert.deepEqual(await events(database), [START]);
    await report(database, null);
    await heir.round();
    await heir.round(31);
    await both(60);
    assert.deepEqual(await events(database), [START, END]);
    assert.equal([...one.log(), ...other.log(), ...heir.log()].length, 2);
  });

  test('tells what the doctor has found until it finds it no more, and knows nothing of it before it has looked', async ({
    database,
  }) => {
    const drift = { check: 'quota', about: 'project p', says: 'volumes is kept as 2, counted 1' };
    let found: readonly (typeof drift)[] | null = [drift];
    const one = watch(database, { found: () => found });
    await one.round();
    assert.deepEqual(await lasting(database), ['quota_drift of project p']);
    await watch(database).round(60);
    assert.deepEqual(await lasting(database), ['quota_drift of project p']);
    found = [];
    await one.round();
    assert.deepEqual(await lasting(database), []);
    assert.deepEqual(
      (await events(database)).map((told) => told.split(' ')[0]),
      ['pumice.alarm.start', 'pumice.alarm.end'],
    );
  });

  test('says of a stuck flow why it is, until somebody wishes it back', async ({ database }) => {
    const of = { name: 'extend_volume', version: 1, lane: 'host:n@b', input: '{}', owner: null, epoch: 1, seq: 1 };
    const about = { doing: null, resource: 'volume:a', project_id: 'p', request_id: 'r', ended_at: null };
    const wish = { wish: null, wish_reason: null, claims: 0, created_at: now(), updated_at: now() };
    const failure = { name: 'DriverFailed', message: 'no room', transient: false };
    const data = JSON.stringify({ failure, result: null });
    const step = { node: 'storage', event: 'revert_failed', attempt: 1, data, started_at: now(), at: now() };
    await database.write(async ({ db }) => {
      await db
        .insertInto('flow')
        .values({ id: '1b6c', state: 'stuck', ...of, ...about, ...wish })
        .execute();
      await db
        .insertInto('flow_step')
        .values({ flow_id: '1b6c', seq: 1, ...step })
        .execute();
    });
    const one = watch(database);
    await one.round();
    const [alarm, ...others] = await listAlarms(database.read);
    assert.deepEqual(others, []);
    assert.partialDeepStrictEqual(alarm, {
      alarm: 'flow_stuck',
      about: 'flow 1b6c',
      message: 'extend_volume of volume:a is stuck. storage: no room',
    });
    await database.write(({ db }) => db.updateTable('flow').set({ wish: 'resume' }).execute());
    await one.round();
    assert.deepEqual(await listAlarms(database.read), []);
  });

  test('compares a flow that takes long with those of its name that have ended', async ({ database }) => {
    const of = { name: 'extend_volume', version: 1, lane: 'control', input: '{}', owner: null, epoch: 1, seq: 0 };
    const about = { doing: null, resource: 'volume:a', project_id: 'p', request_id: 'r', updated_at: now() };
    const wish = { wish: null, wish_reason: null, claims: 0 };
    const row = (id: string, state: 'running' | 'success', from: number, to: number | null) => ({
      ...{ id, state, created_at: fromNow(-from * 1000), ended_at: to === null ? null : fromNow(-to * 1000) },
      ...of,
      ...about,
      ...wish,
    });
    const past = Array.from({ length: 10 }, (_, index) => row(`past-${index}`, 'success', 3_000, 2_999));
    await database.write(({ db }) =>
      db
        .insertInto('flow')
        .values([...past, row('new', 'running', 30, null), row('old', 'running', 90, null)])
        .execute(),
    );
    await watch(database).round();
    assert.deepEqual(await lasting(database), ['flow_slow of flow old']);
  });

  test('is kept by nobody who does not lead, and waits anew when he leads again', async ({ database }) => {
    let leads = true;
    const one = watch(database, { leads: async () => leads });
    await report(database, 'not mounted');
    await one.round();
    leads = false;
    await one.round(60);
    leads = true;
    await one.round();
    assert.deepEqual(await lasting(database), []);
    await one.round(30);
    assert.deepEqual(await lasting(database), [DOWN]);
  });
});

describe('alarms', () => {
  it('are listed for administrators, with what to do, and counted in the metrics', async (context) => {
    const world = await freshWorld(context, { set: ['metrics.enabled=true'] });
    const { db, metrics } = world.service;
    assert.deepEqual((await world.get('//pumice/v1/alarms')).body, { alarms: [] });
    await report(db, 'not mounted');
    const one = watch(db);
    await one.round();
    await one.round(30);
    const { alarms } = (await world.get('//pumice/v1/alarms')).body;
    assert.equal(alarms.length, 1);
    assert.partialDeepStrictEqual(alarms[0], {
      alarm: 'backend_down',
      about: 'backend n@b',
      severity: 'error',
      message: 'not mounted',
    });
    assert.match(alarms[0].advice, /pumice doctor/);
    assert.match((await metrics?.text()) ?? '', /^pumice_alarms\{alarm="backend_down",severity="error"\} 1$/m);
    assert.match((await metrics?.text()) ?? '', /^pumice_alarms\{alarm="flow_stuck",severity="error"\} 0$/m);
  });

  it('tell who holds events back on PostgreSQL', async (context) => {
    const database = await freshPostgresql();
    if ('missing' in database) return context.skip(`PostgreSQL: ${database.missing}`);
    const { service } = await freshWorld(context, { database });
    const client = new pg.Client({ connectionString: database.url, application_name: 'a client that sleeps' });
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query('SELECT pg_current_xact_id()');
      const event = { resource: 'volume:a', eventType: 'volume.create.start', priority: 'INFO' as const };
      const of = { publisherId: 'x', payload: '{}', projectId: 'p', userId: 'u', requestId: 'r' };
      await service.db.write((tx) => appendEvents(tx, [{ messageId: uuid(), ...event, ...of }]));
      const held = await heldBackEvents(service.db.read);
      assert.match(held?.by ?? '', /^pid \d+ \(a client that sleeps of /);
      await client.query('ROLLBACK');
      assert.equal(await heldBackEvents(service.db.read), undefined);
    } finally {
      await client.end();
    }
  });
});
