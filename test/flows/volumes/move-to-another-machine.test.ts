/**
 * A volume that moves to a machine which does not see its file: what the source opens for it, and closes again. What reads over the network is
 * another's business (`test/drivers/remote-copy.test.ts`); here the destination reads the file by the link that stands for the export.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import { migrateVolume as command } from '../../../src/commands/volumes/migrate-volume.ts';
import { retypeVolume } from '../../../src/commands/volumes/retype-volume.ts';
import { VOLUME_BINARY } from '../../../src/db/pools.ts';
import { recordHeartbeat } from '../../../src/db/services.ts';
import { insertVolumeType } from '../../../src/db/volume-types.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { exports } from '../../../src/doctor/checks/exports.ts';
import type { DriverCall, VolumeRef } from '../../../src/drivers/driver.ts';
import type { OpenedSource } from '../../../src/drivers/remote-source.ts';
import { migrateVolume } from '../../../src/flows/volumes/migrate-volume.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { silentLog } from '../../../src/lib/logging.ts';
import { Troubles } from '../../../src/lib/troubles.ts';
import { DriverFailed } from '../../../src/model/errors.ts';
import { ExportReconciler } from '../../../src/upkeep/reconcile-exports.ts';
import { CONNECTED, contentOf, givenAttachment, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { caller, type Site } from '../site.ts';
import { onSite, proveVariant } from '../site-proof.ts';

const ALPHA = 'node@alpha#alpha';
const BETA = 'other@beta#beta';
const request = { host: BETA, forceHostCopy: false, lockVolume: false };

/** From now on alpha opens volumes, and beta reads those that are open to whoever knows the secret. Returns the secrets. */
function network(site: Site): ReadonlyMap<string, string> {
  const secrets = new Map<string, string>();
  const link = (id: string): string => site.path('alpha', `.export-${id}`);
  site.interpose('alpha', 'openVolume', async (_proceed, args) => {
    const [volume, { id, secret }, call] = args as [VolumeRef, { id: string; secret: string }, DriverCall];
    const driver = site.tools.driver(ALPHA);
    const { bytes } = await driver.locateVolume(volume, 'read', call.signal);
    const connector = { host: hostname() };
    await driver.ensureExport({ attachmentId: id, volume, connector, readOnly: true, secret }, call);
    secrets.set(id, secret);
    return { portal: 'alpha:3260', target: id, lun: 1, initiator: 'iqn.2010-10.org.example:a', user: id, bytes };
  });
  site.interpose('beta', 'receiveVolume', async (proceed, args) => {
    const { target, secret, bytes } = args[1] as OpenedSource;
    if (!existsSync(link(target)) || secrets.get(target) !== secret) throw new DriverFailed(`${target} is shut.`);
    (args as unknown[]).splice(1, 2, { path: link(target), bytes }, { copies: true });
    return proceed();
  });
  return secrets;
}

/** One object, with what the volume held, where its row says. */
async function isWhole(site: Site, { id }: { readonly id: string }, pool: string): Promise<void> {
  const { host, nameId } = await getVolume(site.database.read, id);
  assert.equal(host, pool);
  const object = `${pool === BETA ? 'beta' : 'alpha'}/volume-${nameId ?? id}`;
  assert.deepEqual(site.objects(), [object]);
  const content = contentOf({ id });
  assert.deepEqual(site.content(object, content.length), content);
}

proveVariant(
  'migrate_volume to another machine',
  migrateVolume,
  onSite(
    async (site) => {
      network(site);
      const volume = await givenVolume(site);
      const now = () => getVolume(site.database.read, volume.id);
      return {
        begin: (desk) => command(desk, caller, volume.id, request),
        done: async () => {
          assert.partialDeepStrictEqual(await now(), { status: 'available', migrationStatus: 'success' });
          await isWhole(site, volume, BETA);
        },
        undone: async ([failure]) => {
          const switched = failure?.task === 'remove_old' || failure?.task === 'migrate_on_finish';
          const migrationStatus = switched ? 'success' : 'error';
          assert.partialDeepStrictEqual(await now(), { status: 'available', migrationStatus });
          await isWhole(site, volume, switched ? BETA : ALPHA);
        },
      };
    },
    { apart: true },
  ),
);

describe('a volume that moves to another machine', () => {
  it('is read by the destination itself where many serve the backend that it is on, and is opened to nobody', async (context) => {
    const live = await liveSite(context, { apart: true });
    const { site } = live;
    const opened: string[] = [];
    for (const method of ['openVolume', 'locateVolume', 'closeVolume'] as const)
      site.interpose('alpha', method, (proceed) => {
        opened.push(method);
        return proceed();
      });
    Object.assign(site.tools.driver(ALPHA), { servedBy: 'many' });
    const volume = await givenVolume(site);
    await command(live.desk, caller, volume.id, request);
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { host: BETA, migrationStatus: 'success' });
    await isWhole(site, volume, BETA);
    assert.deepEqual(opened, ['locateVolume', 'closeVolume']);
  });

  it('is opened with a secret that no journal holds, and shut when it has moved', async (context) => {
    const live = await liveSite(context, { apart: true });
    const secrets = network(live.site);
    const volume = await givenVolume(live.site);
    await command(live.desk, caller, volume.id, request);
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { host: BETA, migrationStatus: 'success' });
    await isWhole(live.site, volume, BETA);
    assert.deepEqual(await live.site.leftovers(), []);
    assert.equal(secrets.size, 1);
    const { id } = await live.flowOf(`volume:${volume.id}`);
    const journal = JSON.stringify([await live.journal.find(id), await live.journal.steps(id)]);
    for (const secret of secrets.values()) assert.ok(!journal.includes(secret));
  });

  it('is retyped by that, where no backend of its own machine is good for the type', async (context) => {
    const live = await liveSite(context, { apart: true });
    network(live.site);
    const volume = await givenVolume(live.site);
    const type = await live.database.write((tx) =>
      insertVolumeType(tx, { id: uuid(), name: 'b', extraSpecs: { volume_backend_name: 'beta' } }),
    );
    await retypeVolume(live.desk, caller, volume.id, { newType: type.id, mayMove: true, demand: () => {} });
    const after = { host: BETA, volumeTypeId: type.id, status: 'available', migrationStatus: 'success' } as const;
    assert.partialDeepStrictEqual(await live.settledVolume(volume), after);
    await isWhole(live.site, volume, BETA);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('is left open meanwhile by the reconciler and the doctor, who shut what is left when nothing works on it', async (context) => {
    const live = await liveSite(context, { apart: true });
    network(live.site);
    const there = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    live.site.interpose('beta', 'receiveVolume', async () => {
      there.resolve();
      await go.promise;
      throw new DriverFailed('It cannot be read from here.');
    });
    const volume = await givenVolume(live.site);
    await command(live.desk, caller, volume.id, request);
    await there.promise;
    const host = 'node@alpha';
    const troubles = new Troubles({ log: silentLog });
    const newKeeper = () => new ExportReconciler(live.desk, { host, isUp: () => true, log: silentLog, troubles });
    const { signal } = new AbortController();
    const driver = live.site.tools.driver(host);
    const patient = {
      db: live.database,
      config: live.site.config,
      patienceMs: 0,
      backends: [{ host, driver }],
      signal,
    };
    assert.equal((await driver.listExports(signal)).length, 1);
    assert.deepEqual(await newKeeper().look(signal), { made: [], removed: [] });
    assert.deepEqual(await exports.examine(patient), []);

    const left = { attachmentId: uuid(), volume, connector: { host: hostname() }, readOnly: true, secret: '' };
    await driver.ensureExport(left, { signal, progress: () => {} });
    assert.equal((await exports.examine(patient)).length, 1);
    assert.deepEqual(await newKeeper().look(signal), { made: [], removed: [left.attachmentId] });
    go.resolve();
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { host: ALPHA, migrationStatus: 'error' });
    assert.deepEqual(await driver.listExports(signal), []);
  });

  it('is retyped to a backend of its own machine where one is good for the type, however full', async (context) => {
    const live = await liveSite(context, { apart: true });
    const volume = await givenVolume(live.site);
    const { read } = live.database;
    const beta = await read
      .selectFrom('service')
      .selectAll()
      .where('host', '=', 'other@beta')
      .executeTakeFirstOrThrow();
    const pools = JSON.parse(beta.pools ?? '[]').map((pool: object) => ({
      ...pool,
      total_capacity_gb: 20,
      free_capacity_gb: 10,
    }));
    const near = { host: 'node@gamma', binary: VOLUME_BINARY, availabilityZone: 'nova', pools, failure: null };
    const type = await live.database.write(async (tx) => {
      await recordHeartbeat(tx, near);
      return insertVolumeType(tx, { id: uuid(), name: 'b', extraSpecs: { volume_backend_name: 'beta' } });
    });
    await retypeVolume(live.desk, caller, volume.id, { newType: type.id, mayMove: true, demand: () => {} });
    const { id } = await live.flowOf(`volume:${volume.id}`);
    const chosen = (await live.journal.steps(id)).find(({ node }) => node === 'schedule_retype');
    assert.partialDeepStrictEqual(chosen?.data, { destination: 'node@gamma#beta' });
  });

  it('is not attached: who has it would lose it', async (context) => {
    const live = await liveSite(context, { apart: true });
    const volume = await givenVolume(live.site, { status: 'in-use', attachStatus: 'attached' });
    const connectionInfo = { driver_volume_type: 'iscsi', data: {} };
    await givenAttachment(live.site, volume, { ...CONNECTED, connectionInfo, attachStatus: 'attached' });
    const refused = { name: 'InvalidVolume', message: /within node only: detach it first/ };
    await assert.rejects(command(live.desk, caller, volume.id, request), refused);
    const type = await live.database.write((tx) =>
      insertVolumeType(tx, { id: uuid(), name: 'b', extraSpecs: { volume_backend_name: 'beta' } }),
    );
    await retypeVolume(live.desk, caller, volume.id, { newType: type.id, mayMove: true, demand: () => {} });
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { host: ALPHA, status: 'in-use' });
  });

  it('stays, and is shut, when the destination cannot read it', async (context) => {
    const live = await liveSite(context, { apart: true });
    network(live.site);
    live.site.interpose('beta', 'receiveVolume', async () => {
      throw new DriverFailed('It cannot be read from here.');
    });
    const volume = await givenVolume(live.site);
    await command(live.desk, caller, volume.id, request);
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { host: ALPHA, migrationStatus: 'error' });
    await isWhole(live.site, volume, ALPHA);
    assert.deepEqual(await live.site.leftovers(), []);
    assert.equal((await live.site.messages()).length, 1);
  });
});
