/** Backends and the doctor by our own API. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addPoolUsage } from '../../src/db/pool-usage.ts';
import { recordHeartbeat, updateService } from '../../src/db/services.ts';
import { putTrouble } from '../../src/db/troubles.ts';
import { ServedDoctor } from '../../src/doctor/run-doctor.ts';
import { fromNow, now } from '../../src/lib/clock.ts';
import { beginFlow } from '../cli/begin-flow.ts';
import { pool } from './heartbeats.ts';
import { freshWorld, PROJECT, until, type World } from './world.ts';

const BACKENDS = '//pumice/v1/backends';
const DOCTOR = '//pumice/v1/doctor';

async function service({ service }: World, host: string, failure: string | null = null): Promise<void> {
  const beat = { host, binary: 'cinder-volume', availabilityZone: 'nova', pools: [pool('fast')], failure };
  await service.db.write((tx) => recordHeartbeat(tx, beat));
}

describe('the list of backends', () => {
  it('has each with its pools, what they have promised, and why one is not up', async (context) => {
    const world = await freshWorld(context);
    const { db } = world.service;
    await service(world, 'node@good');
    await service(world, 'node@bad', 'The directory is gone.');
    await service(world, 'node@off');
    await service(world, 'node@old');
    await db.write((tx) =>
      updateService(tx, 'node@off', 'cinder-volume', { disabled: true, disabledReason: 'repair' }),
    );
    await db.write(({ db }) =>
      db
        .updateTable('service')
        .set({ updated_at: fromNow(-3_600_000) })
        .where('host', '=', 'node@old')
        .execute(),
    );
    const used = { pool: 'node@good#fast', volumes: 1, allocatedGiB: 7, provisionedGiB: 9 };
    await db.write((tx) => addPoolUsage(tx, used));
    const { body } = await world.get(BACKENDS);
    assert.deepEqual(
      body.backends.map(({ host, state, reason }: Record<string, unknown>) => [host, state, reason]),
      [
        ['node@bad', 'failed', 'The directory is gone.'],
        ['node@good', 'up', null],
        ['node@off', 'disabled', 'repair'],
        ['node@old', 'down', null],
      ],
    );
    const [fast] = body.backends[1].pools;
    assert.deepEqual([fast.name, fast.volumes, fast.allocated_gib, fast.promised_gib], ['node@good#fast', 1, 7, 9]);
    assert.deepEqual(body.troubles, []);
  });

  it('counts copies that run and that wait for their turn, and tells of upkeep that fails', async (context) => {
    const world = await freshWorld(context);
    const { db } = world.service;
    await service(world, 'node@good');
    const doing = { node: 'copy', since: fromNow(-9_000), progress: 0.5 };
    const copying = {
      bytes: 4_000,
      of: 8_000,
      from: 0,
      since: '2026-01-01T00:00:00.000000',
      at: '2026-01-01T00:00:04.000000',
    };
    const waiting = { what: 'its turn', why: '1st of 1', since: now() };
    for (const [index, does] of [
      { ...doing, copying },
      { ...doing, waiting },
      { ...doing, copying, waiting },
      doing,
    ].entries()) {
      const id = await beginFlow(db, `volume:v${index}`, { lane: 'host:node@good' });
      await db.write((tx) =>
        tx.db
          .updateTable('flow')
          .set({ doing: JSON.stringify(does) })
          .where('id', '=', id)
          .execute(),
      );
    }
    const trouble = {
      upkeep: 'exports',
      about: 'node@good',
      process: 'p',
      node: 'node',
      reason: 'no tgtd',
      since: now(),
    };
    await db.write((tx) => putTrouble(tx, trouble));
    const { body } = await world.get(BACKENDS);
    assert.deepEqual(body.backends[0].copies, { running: 1, waiting: 2, rate: 1_000 });
    const { process: _, ...told } = trouble;
    assert.deepEqual(body.troubles, [told]);
  });
});

describe('the doctor', () => {
  it('examines when it is ordered to, in a process of its own, and tells what it found last', async (context) => {
    const world = await freshWorld(context);
    assert.deepEqual((await world.get(DOCTOR)).body, { running_since: null, last: null });
    await world.service.db.write(({ db }) =>
      db
        .insertInto('quota_usage')
        .values({ project_id: PROJECT, resource: 'volumes', in_use: 3, reserved: 0 })
        .execute(),
    );
    const begun = await world.ask('POST', DOCTOR);
    assert.equal(begun.status, 202, begun.text);
    assert.notEqual(begun.body.running_since, null);
    const again = await world.ask('POST', DOCTOR);
    assert.equal(again.body.running_since, begun.body.running_since, 'one examination at a time');
    const { body } = await until(
      () => world.ask('GET', DOCTOR),
      (answer) => answer.body.running_since === null,
    );
    assert.equal(body.last.failure, null);
    assert.ok(
      body.last.report.findings.some(({ check }: { readonly check: string }) => check === 'quota'),
      JSON.stringify(body),
    );
  });

  it('says why there is no report, and examines again', async () => {
    let tries = 0;
    const doctor = new ServedDoctor({} as never, async () => {
      tries += 1;
      if (tries === 1) throw new Error('It was killed.');
      return '{"findings":[]}';
    });
    const ended = async () => {
      while (doctor.state.running_since !== null) await new Promise(setImmediate);
      return doctor.state.last;
    };
    doctor.begin();
    assert.equal((await ended())?.failure, 'It was killed.');
    doctor.begin();
    const last = await ended();
    assert.deepEqual([last?.failure, last?.report], [null, { findings: [] }]);
  });
});
