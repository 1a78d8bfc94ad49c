/**
 * Rows beside what real backends hold: images of a Ceph cluster, files, volumes of a model of LVM. Nothing there is changed by the look, and what
 * a backend has is never taken for missing, down to the row that is filled.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { ListedBackends } from '../../src/import/check/backend-names.ts';
import { checkCinder } from '../../src/import/check/check-cinder.ts';
import { type MapWorld, mapWorld } from '../../src/import/map/map-world.ts';
import { fillDatabase } from '../../src/import/run/fill-database.ts';
import { exec } from '../../src/lib/exec.ts';
import { noRbd } from '../ceph-cluster.ts';
import { freshSqlite } from '../databases.ts';
import { calm, type DriverWorld } from '../drivers/driver-world.ts';
import { unharmed } from '../drivers/faulty-exec.ts';
import { fileWorld } from '../drivers/file/file-world.ts';
import { falsePrograms } from '../drivers/lvm/false-lvm.ts';
import { falseLvmWorld } from '../drivers/lvm/false-lvm-world.ts';
import { Pools, rbdWorld } from '../drivers/rbd/rbd-world.ts';
import { defaultTypeOf, id, snapshotRow, volumeRow } from './cinder-rows.ts';
import { cinderWorld } from './cinder-world.ts';

const GIB = 1024 ** 3;
const NOW = '2026-06-01T00:00:00.000000';

interface Look {
  /** Ids of a volume and a snapshot that are there, and can be nobody's of this backend. */
  readonly unservable?: { readonly volume: string; readonly snapshot: string };
}

async function proveLook(
  context: TestContext,
  backend: DriverWorld,
  host: string,
  { unservable }: Look = {},
): Promise<void> {
  const cinder = await cinderWorld('mysql');
  if ('missing' in cinder) return void context.skip(cinder.missing);
  context.after(() => cinder.remove());
  const { driver } = backend;
  const call = calm();
  const [pool] = await driver.stats(call.signal);
  const place = { host: `${host}#${pool?.pool_name}` };
  const type = await defaultTypeOf(cinder);
  const row = (n: number, more: object = {}) => volumeRow({ id: id('a', n), volume_type_id: type, ...place, ...more });
  await cinder.insert('volumes', row(1), row(2), row(3, { _name_id: id('d', 3) }), row(4, { size: 1 }));
  const snapshot = (n: number) => snapshotRow({ id: id('b', n), volume_id: id('a', 1), volume_type_id: type });
  await cinder.insert('snapshots', snapshot(1), snapshot(2));
  if (unservable !== undefined) {
    await cinder.insert('volumes', row(0, { id: unservable.volume }));
    await cinder.insert('snapshots', { ...snapshot(3), id: unservable.snapshot, volume_id: unservable.volume });
  }
  const made = (volume: string, sizeGiB = 1) => driver.createVolume({ id: volume, sizeGiB }, call);
  await made(id('a', 1));
  await made(id('d', 3));
  await made(id('a', 4), 2);
  await made(id('a', 9));
  await driver.createSnapshot({ id: id('b', 1), volumeId: id('a', 1), sizeGiB: 1 }, call);
  const there = JSON.stringify(await driver.list(call.signal));

  const opened = await cinder.open();
  const worldOf = async (missingAsError: boolean) => {
    const settings = { hosts: new Map([[host, host]]), adoptType: null, revive: false, missingAsError, now: NOW };
    return (await mapWorld(opened, settings)) as MapWorld;
  };
  const looked = async (missingAsError: boolean) => {
    const world = await worldOf(missingAsError);
    return checkCinder(opened, world, {
      backends: [{ host, driver }],
      snapshotGigabytes: true,
      signal: call.signal,
    });
  };
  const { findings, backends, hosts } = await looked(false);
  assert.deepEqual(
    findings.map(({ code, id }) => [code, id]).sort(),
    [
      ['image-missing', id('a', 2)],
      ['image-missing', id('b', 2)],
      ...(unservable === undefined
        ? []
        : [
            ['image-unservable', unservable.volume],
            ['image-unservable', unservable.snapshot],
          ]),
      ['size-differs', id('a', 4)],
    ].sort(),
  );
  const volumes = unservable === undefined ? 4 : 5;
  assert.deepEqual(hosts, [{ from: place.host, volumes, to: place.host, problem: null }]);
  const [look] = backends;
  assert.deepEqual([look?.failure, look?.known], [null, unservable === undefined ? 4 : 6]);
  assert.deepEqual(
    look?.unknown.map(({ name, bytes }) => [name.replace(/^.*\//, ''), bytes]),
    [[`volume-${id('a', 9)}`, GIB]],
  );
  const asErrors = (await looked(true)).findings.filter(({ code }) => code === 'image-missing');
  assert.ok(asErrors.length === 2 && asErrors.every(({ does }) => does.startsWith('it comes in as error')));

  const target = await freshSqlite();
  const db = await openDatabase(target.url, { as: 'server' });
  context.after(async () => {
    await db.close();
    await target.remove();
  });
  for (const missingAsError of [false, true]) {
    const world = await worldOf(missingAsError);
    const listed = await ListedBackends.list([{ host, driver }], world.settings.hosts, call.signal);
    const fill = { source: 'somewhere', resume: false, recount: { snapshotGigabytes: true }, told: () => {} };
    await fillDatabase(opened, world, db, {
      ...fill,
      ...(missingAsError && { onBackend: listed }),
      signal: call.signal,
    });
    const asErrors = missingAsError ? [id('a', 2), id('b', 2)] : [];
    assert.deepEqual(await notAvailable(db), asErrors);
  }
  assert.equal(JSON.stringify(await driver.list(call.signal)), there);
}

/** Ids of volumes and snapshots that have come in as errors: all came from available ones. */
async function notAvailable({ read }: Database): Promise<string[]> {
  const volumes = await read.selectFrom('volume').select(['id', 'status']).execute();
  const snapshots = await read.selectFrom('snapshot').select(['id', 'status']).execute();
  return [...volumes, ...snapshots].filter(({ status }) => status !== 'available').map((row) => row.id);
}

describe('a check beside Ceph', { skip: noRbd }, () => {
  const pools = new Pools();
  after(() => pools.end());

  test('tells what has no image, one of another size, and what has no row', async (context) => {
    const world = await rbdWorld(pools, exec, unharmed);
    context.after(() => world.cleanup());
    await proveLook(context, world, 'rbd:volumes@ceph');
  });
});

describe('a check beside LVM', () => {
  test('tells what has no volume, one of another size, and what has no row', async (context) => {
    const world = await falseLvmWorld(falsePrograms);
    context.after(() => world.cleanup());
    await proveLook(context, world, 'control1@lvm');
  });

  test('names what is in the group and in no thin pool, and takes nothing of it for missing', async (context) => {
    const world = await falseLvmWorld(falsePrograms);
    context.after(() => world.cleanup());
    await world.thick(`volume-${id('c', 1)}`, GIB);
    await world.thick(`_snapshot-${id('c', 2)}`, GIB);
    await world.thick(`volume-${id('c', 3)}`, GIB);
    await world.thick('root', GIB);
    const unservable = { volume: id('c', 1), snapshot: id('c', 2) };
    await proveLook(context, world, 'control1@lvm', { unservable });
  });
});

describe('a check beside files', () => {
  test('tells what has no file, one of another size, and what has no row', async (context) => {
    const directory = await mkdtemp(join(tmpdir(), 'pumice-looked-at-'));
    const world = await fileWorld(directory, exec);
    context.after(() => rm(directory, { recursive: true }));
    await proveLook(context, world, 'control1@file');
  });
});
