/**
 * A real cinder-api tells of its database what a rehearsal tells of the import, but for what is known to differ; and of the same database
 * after changes here and the way back what the service told that made them.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { deleteAttachmentRow } from '../../src/db/attachments.ts';
import { openDatabase } from '../../src/db/database.ts';
import { markTurned } from '../../src/db/import-progress.ts';
import { countQuota } from '../../src/db/quotas.ts';
import { deleteSnapshotRow, insertSnapshot } from '../../src/db/snapshots.ts';
import { deleteVolumeRow, insertVolume, updateVolume } from '../../src/db/volumes.ts';
import { writeBack } from '../../src/import/back/write-back.ts';
import { cinderAddress } from '../../src/import/cinder/cinder-address.ts';
import { openSession } from '../../src/import/cinder/open-cinder.ts';
import { compareServices, type Difference } from '../../src/import/compare/compare-services.ts';
import { COMPARED_LISTS } from '../../src/import/compare/compared-lists.ts';
import { whyKnown } from '../../src/import/compare/known-differences.ts';
import { ReadService } from '../../src/import/compare/read-service.ts';
import { mapWorld } from '../../src/import/map/map-world.ts';
import { fillDatabase } from '../../src/import/run/fill-database.ts';
import { parseConfig } from '../../src/lib/config/read-config.ts';
import { silentLog } from '../../src/lib/logging.ts';
import { wire } from '../../src/wiring.ts';
import { freshSqlite } from '../databases.ts';
import { id, PROJECT, USER } from '../import/cinder-rows.ts';
import { type CinderWorld, cinderWorld } from '../import/cinder-world.ts';
import { smallCinder } from '../import/small-cinder.ts';
import { noCinder, startCinder } from './real-cinder.ts';

const { signal } = new AbortController();
const settings = {
  hosts: new Map([['control1@rbd1', 'control1@rbd1']]),
  adoptType: null,
  revive: false,
  now: '2026-06-01T00:00:00.000000',
};

async function differences(cinder: CinderWorld, database: string, rehearsal: boolean): Promise<readonly string[]> {
  const { port, pathname } = new URL(cinder.url);
  const real = await startCinder(`mysql+pymysql://root@127.0.0.1:${port}${pathname}`);
  const directory = mkdtempSync(join(tmpdir(), 'pumice-moving-'));
  const set = [
    ...[
      `database.url=${database}`,
      `data_directory=${directory}`,
      'node_name=control1',
      'api.port=0',
      `rehearsal=${rehearsal}`,
    ],
    ...['backends.rbd1.driver=file', 'backends.rbd1.path=$data_directory/volumes', 'backends.rbd1.create=true'],
  ];
  const service = await wire(parseConfig({ directory, set }), silentLog);
  try {
    await service.start();
    const services = [real.address, await service.listen()].map(
      (address) => new ReadService({ name: 'A service', url: `${address}/v3/${PROJECT}`, token: `${USER}:${PROJECT}` }),
    ) as [ReadService, ReadService];
    for (const each of services) each.speak('3.70');
    const found: Difference[] = [];
    // It asks the others of its services, of which none runs.
    const lists = COMPARED_LISTS.filter(
      ({ path }) => !path.startsWith('/os-services') && !path.startsWith('/scheduler-stats'),
    );
    const both = { cinder: services[0], pumice: services[1], ofAll: true, lists, signal };
    let rows = 0;
    for await (const list of compareServices(both, (difference) => void found.push(difference))) rows += list.rows;
    assert.ok(rows > 60, String(rows));
    return found
      .filter((difference) => whyKnown(difference) === undefined)
      .map(
        ({ list, id, field, cinder, pumice }) =>
          `${list} ${id} ${field}: ${JSON.stringify(cinder)} ${JSON.stringify(pumice)}`,
      );
  } finally {
    await service.stop();
    await real.stop();
    rmSync(directory, { recursive: true });
  }
}

describe('a real cinder-api', { skip: noCinder }, () => {
  test('tells what the rehearsal tells, and after the way back what the service told', async (context: TestContext) => {
    const cinder = await cinderWorld('mysql');
    if ('missing' in cinder) return context.skip(cinder.missing);
    const target = await freshSqlite();
    context.after(async () => {
      await cinder.remove();
      await target.remove();
    });
    await smallCinder(cinder);
    await cinder.run("UPDATE services SET rpc_current_version = '3.17', object_current_version = '1.39'");
    const db = await openDatabase(target.url, { as: 'server' });
    const opened = await cinder.open();
    const world = await mapWorld(opened, settings);
    if ('noType' in world) return assert.fail();
    const fill = {
      source: 'mysql://somewhere',
      resume: true,
      recount: { snapshotGigabytes: true },
      told: () => {},
      signal,
    };
    await fillDatabase(opened, world, db, fill);
    await opened.close();
    await db.close();
    assert.deepEqual(await differences(cinder, target.url, true), []);

    const turned = await openDatabase(target.url, { as: 'server' });
    const [type] = await turned.read.selectFrom('volume_type').select('id').where('name', '=', 'fast').execute();
    await turned.write(async (tx) => {
      await markTurned(tx);
      const made = { id: id('a', 90), projectId: PROJECT, userId: USER, volumeTypeId: type?.id ?? '' } as const;
      await insertVolume(tx, {
        ...made,
        sizeGiB: 7,
        status: 'available',
        host: 'control1@rbd1#rbd1',
        availabilityZone: 'nova',
        name: 'new',
        metadata: { a: 'b' },
        createdAt: '2026-07-01T10:00:00.000000',
      });
      await countQuota(tx, PROJECT, { volumes: 1, gigabytes: 7, volumes_fast: 1, gigabytes_fast: 7 });
    });
    await turned.write(async (tx) => {
      await insertSnapshot(tx, {
        id: id('c', 90),
        projectId: PROJECT,
        userId: USER,
        volumeId: id('a', 90),
        volumeTypeId: type?.id ?? '',
        volumeSizeGiB: 7,
        status: 'available',
        progress: '100%',
        createdAt: '2026-07-01T11:00:00.000000',
      });
      await countQuota(tx, PROJECT, { snapshots: 1, gigabytes: 7, snapshots_fast: 1, gigabytes_fast: 7 });
      await updateVolume(tx, id('a', 7), { name: 'renamed', metadata: { stage: 'other' } });
      await deleteAttachmentRow(tx, id('b', 5));
      await updateVolume(tx, id('a', 5), { status: 'available', attachStatus: 'detached', adminMetadata: {} });
      await deleteSnapshotRow(tx, id('c', 9));
      await countQuota(tx, PROJECT, { snapshots: -1, gigabytes: -9, snapshots_fast: -1, gigabytes_fast: -9 });
    });
    await turned.write(async (tx) => {
      await deleteAttachmentRow(tx, id('b', 9));
      await deleteVolumeRow(tx, id('a', 9));
      await countQuota(tx, PROJECT, { volumes: -1, gigabytes: -9, volumes_fast: -1, gigabytes_fast: -9 });
    });
    // Cinder's times are whole seconds.
    await turned.write(({ db }) =>
      db.updateTable('volume').set({ updated_at: '2026-07-02T00:00:00.000000' }).execute(),
    );
    await turned.write(({ db }) =>
      db.updateTable('snapshot').set({ updated_at: '2026-07-02T00:00:00.000000' }).execute(),
    );
    const back = await openSession(cinderAddress(cinder.url), { toWrite: true });
    const now = await mapWorld(back.cinder, settings);
    if ('noType' in now) return assert.fail();
    assert.deepEqual((await writeBack(back, now, turned)).unheld, []);
    await back.session.ask('COMMIT');
    await back.cinder.close();
    await turned.close();
    assert.deepEqual(await differences(cinder, target.url, false), []);
  });
});
