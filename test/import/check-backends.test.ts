/** Rows beside what real backends hold: images of a Ceph cluster, volumes of a model of LVM. Nothing there is changed by the look. */
import assert from 'node:assert/strict';
import { after, describe, type TestContext, test } from 'node:test';
import { checkCinder } from '../../src/import/check/check-cinder.ts';
import { type MapWorld, mapWorld } from '../../src/import/map/map-world.ts';
import { exec } from '../../src/lib/exec.ts';
import { noRbd } from '../ceph-cluster.ts';
import { calm, type DriverWorld } from '../drivers/driver-world.ts';
import { unharmed } from '../drivers/faulty-exec.ts';
import { falsePrograms } from '../drivers/lvm/false-lvm.ts';
import { falseLvmWorld } from '../drivers/lvm/false-lvm-world.ts';
import { Pools, rbdWorld } from '../drivers/rbd/rbd-world.ts';
import { defaultTypeOf, id, snapshotRow, volumeRow } from './cinder-rows.ts';
import { cinderWorld } from './cinder-world.ts';

const GIB = 1024 ** 3;
const NOW = '2026-06-01T00:00:00.000000';

async function proveLook(context: TestContext, backend: DriverWorld, host: string): Promise<void> {
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
  const made = (volume: string, sizeGiB = 1) => driver.createVolume({ id: volume, sizeGiB }, call);
  await made(id('a', 1));
  await made(id('d', 3));
  await made(id('a', 4), 2);
  await made(id('a', 9));
  await driver.createSnapshot({ id: id('b', 1), volumeId: id('a', 1), sizeGiB: 1 }, call);
  const there = JSON.stringify(await driver.list(call.signal));

  const looked = async (missingAsError: boolean) => {
    const opened = await cinder.open();
    const settings = { hosts: new Map([[host, host]]), adoptType: null, revive: false, missingAsError, now: NOW };
    const world = (await mapWorld(opened, settings)) as MapWorld;
    return checkCinder(opened, world, {
      backends: [{ host, driver }],
      snapshotGigabytes: true,
      signal: call.signal,
    });
  };
  const { findings, backends, hosts } = await looked(false);
  assert.deepEqual(findings.map(({ code, id }) => [code, id]).sort(), [
    ['image-missing', id('a', 2)],
    ['image-missing', id('b', 2)],
    ['size-differs', id('a', 4)],
  ]);
  assert.deepEqual(hosts, [{ from: place.host, volumes: 4, to: place.host, problem: null }]);
  const [look] = backends;
  assert.deepEqual([look?.failure, look?.known], [null, 4]);
  assert.deepEqual(
    look?.unknown.map(({ name, bytes }) => [name.replace(/^.*\//, ''), bytes]),
    [[`volume-${id('a', 9)}`, GIB]],
  );
  const asErrors = (await looked(true)).findings.filter(({ code }) => code === 'image-missing');
  assert.ok(asErrors.length === 2 && asErrors.every(({ does }) => does.startsWith('it comes in as error')));
  assert.equal(JSON.stringify(await driver.list(call.signal)), there);
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
});
