import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Desk } from '../../../src/commands/desk.ts';
import { retypeVolume as command } from '../../../src/commands/volumes/retype-volume.ts';
import type { Database } from '../../../src/db/database.ts';
import { VOLUME_BINARY } from '../../../src/db/pools.ts';
import { quotaUsage } from '../../../src/db/quotas.ts';
import { recordHeartbeat } from '../../../src/db/services.ts';
import { deleteSnapshotRow, getSnapshot } from '../../../src/db/snapshots.ts';
import { insertTypeEncryption } from '../../../src/db/type-encryption.ts';
import { deleteVolumeTypeRow, insertVolumeType } from '../../../src/db/volume-types.ts';
import { getVolume, updateVolume } from '../../../src/db/volumes.ts';
import { type RetypeVolume, retypeVolume, retypeVolumeV1 } from '../../../src/flows/volumes/retype-volume.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { BackendFull } from '../../../src/model/errors.ts';
import type { Specs } from '../../../src/model/specs.ts';
import type { Volume } from '../../../src/model/volume.ts';
import { proveFlow } from '../../prove-flow.ts';
import { CONNECTED, contentOf, givenAttachment, givenSnapshot, givenVolume, OVER_NETWORK } from '../given.ts';
import { refuses } from '../interposed.ts';
import { type LiveSite, liveSite } from '../live-site.ts';
import { caller, PROJECT, type Site } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

const demand = (): void => undefined;
const givenType = (database: Database, extraSpecs: Specs = {}) =>
  database.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'fast', extraSpecs }));

/** In use of each type: volumes, GiB with those of snapshots, snapshots. */
async function countedOf(database: Database, type: string): Promise<readonly number[]> {
  const usage = await quotaUsage(database.read, PROJECT);
  return ['volumes', 'gigabytes', 'snapshots'].map((kind) => usage[`${kind}_${type}`]?.inUse ?? 0);
}

proveFlow(
  'retype_volume of a volume in use with a snapshot',
  retypeVolume,
  onSite(async (site) => {
    const { database } = site;
    const volume = await givenVolume(site, { status: 'in-use', attachStatus: 'attached', sizeGiB: 2 });
    const snapshot = await givenSnapshot(site, volume);
    const type = await givenType(database);
    const typeOf = async () => (await getSnapshot(database.read, snapshot.id)).volumeTypeId;
    const counted = () => Promise.all(['__DEFAULT__', 'fast'].map((name) => countedOf(database, name)));
    return {
      begin: (desk) => command(desk, caller, volume.id, { newType: 'fast', mayMove: false, demand }),
      done: async () => {
        const after = { status: 'in-use', previousStatus: null, volumeTypeId: type.id };
        assert.partialDeepStrictEqual(await getVolume(database.read, volume.id), after);
        assert.equal(await typeOf(), type.id);
        assert.deepEqual(await counted(), [
          [0, 0, 0],
          [1, 4, 1],
        ]);
        assert.deepEqual(await site.events(), ['volume.retype']);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async () => {
        const { volumeTypeId } = volume;
        const before = { status: 'in-use', previousStatus: null, volumeTypeId };
        assert.partialDeepStrictEqual(await getVolume(database.read, volume.id), before);
        assert.equal(await typeOf(), volumeTypeId);
        assert.deepEqual(await counted(), [
          [1, 4, 1],
          [0, 0, 0],
        ]);
        assert.deepEqual(await site.events(), []);
        assert.equal((await site.messages()).length, 1);
      },
    };
  }),
);

/** One object, with what the volume held, where its row says. */
async function isWhole(site: Site, { id }: { readonly id: string }, backend: string): Promise<void> {
  const { host, nameId } = await getVolume(site.database.read, id);
  assert.equal(host, `node@${backend}#${backend}`);
  const object = `${backend}/volume-${nameId ?? id}`;
  assert.deepEqual(
    site.objects().filter((name) => name.includes('/volume-')),
    [object],
  );
  const content = contentOf({ id });
  assert.deepEqual(site.content(object, content.length), content);
}

const ON_BETA = { volume_backend_name: 'beta' };

const byMigration = (began = (desk: Desk) => desk) =>
  onSite(async (site) => {
    const { database } = site;
    const volume = await givenVolume(site, { sizeGiB: 2 });
    const type = await givenType(database, { ...ON_BETA, multiattach: '<is> True' });
    const now = () => getVolume(database.read, volume.id);
    const counted = () => Promise.all(['__DEFAULT__', 'fast'].map((name) => countedOf(database, name)));
    const moved = async () => {
      const after = { status: 'available', previousStatus: null, volumeTypeId: type.id, multiattach: true } as const;
      assert.partialDeepStrictEqual(await now(), { ...after, migrationStatus: 'success' });
      await isWhole(site, volume, 'beta');
      assert.deepEqual(await counted(), [
        [0, 0, 0],
        [1, 2, 0],
      ]);
      assert.deepEqual(await site.events(), ['volume.retype']);
      assert.deepEqual(await site.messages(), []);
    };
    return {
      begin: (desk) => command(began(desk), caller, volume.id, { newType: 'fast', mayMove: true, demand }),
      done: moved,
      undone: async ([failure]) => {
        // The switch is the point of no return.
        if (/remove_old|retype_on_finish/.test(failure?.task ?? '')) return moved();
        const { volumeTypeId } = volume;
        const before = { status: 'available', previousStatus: null, volumeTypeId, multiattach: false } as const;
        assert.partialDeepStrictEqual(await now(), before);
        assert.notEqual((await now()).migrationStatus, 'migrating');
        await isWhole(site, volume, 'alpha');
        assert.deepEqual(await counted(), [
          [1, 2, 0],
          [0, 0, 0],
        ]);
        assert.deepEqual(await site.events(), []);
        assert.equal((await site.messages()).length, 1);
      },
    };
  });

proveFlow('retype_volume by migration', retypeVolume, byMigration());
proveFlow('retype_volume by migration, as version 1 began it', retypeVolumeV1, byMigration(asVersion1));

/** What a service of the version before has begun. */
function asVersion1(desk: Desk): Desk {
  const begin: Desk['engine']['begin'] = (tx, _flow, input, options) =>
    desk.engine.begin(tx, retypeVolumeV1, input as unknown as RetypeVolume, options);
  return { ...desk, engine: { begin } as Desk['engine'] };
}

proveFlow(
  'retype_volume by migration of a volume that is attached',
  retypeVolume,
  onSite(
    async (site) => {
      const { database } = site;
      const volume = await givenVolume(site, { status: 'in-use', attachStatus: 'attached' });
      const { id: attachmentId } = await givenAttachment(site, volume, { ...OVER_NETWORK, attachStatus: 'attached' });
      const type = await givenType(database, ON_BETA);
      const now = () => getVolume(database.read, volume.id);
      const isAs = async (backend: 'alpha' | 'beta', volumeTypeId: string) => {
        const { nameId, ...row } = await now();
        assert.partialDeepStrictEqual(row, { status: 'in-use', previousStatus: null, volumeTypeId });
        await isWhole(site, volume, backend);
        const path = site.path(backend, `volume-${nameId ?? volume.id}`);
        assert.deepEqual([...site.opened], [[attachmentId, path]]);
      };
      const moved = async () => {
        await isAs('beta', type.id);
        assert.equal((await now()).migrationStatus, 'success');
        assert.deepEqual(await site.events(), ['volume.retype']);
        assert.deepEqual(await site.messages(), []);
      };
      return {
        begin: (desk) => command(desk, caller, volume.id, { newType: 'fast', mayMove: true, demand }),
        done: moved,
        undone: async () => {
          if ((await now()).nameId !== volume.nameId) return moved();
          await isAs('alpha', volume.volumeTypeId);
          assert.notEqual((await now()).migrationStatus, 'migrating');
          assert.deepEqual(await site.events(), []);
          assert.equal((await site.messages()).length, 1);
        },
      };
    },
    { overNetwork: true },
  ),
);
provesEveryTask(retypeVolume);

/** What is done between the command and the flow that it began. */
async function meanwhile(live: LiveSite, id: string, done: () => Promise<unknown>) {
  await command(live.desk, caller, id, { newType: 'fast', mayMove: false, demand });
  await done();
  await live.start();
  return live.settledVolume({ id });
}

describe('retype_volume', () => {
  it('to a type that its backend is not good for leaves it what it was, and says so', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site, { status: 'in-use' });
    await givenType(live.database, { volume_backend_name: 'beta' });
    await command(live.desk, caller, volume.id, { newType: 'fast', mayMove: false, demand });
    const { volumeTypeId } = volume;
    const after = { status: 'in-use', previousStatus: null, volumeTypeId, multiattach: false };
    assert.partialDeepStrictEqual(await live.settledVolume(volume), after);
    assert.deepEqual(await live.site.events(), ['scheduler.retype']);
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_106_003']);
    assert.deepEqual(await live.site.leftovers(), []);
    const event = await live.database.read.selectFrom('outbox').selectAll().executeTakeFirstOrThrow();
    const { volume_id, state, method } = JSON.parse(event.payload);
    assert.deepEqual([event.priority, volume_id, state, method], ['ERROR', volume.id, { status: 'in-use' }, 'retype']);
  });

  it('stays where it is, when that will do, also if it may move', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    const type = await givenType(live.database);
    await command(live.desk, caller, volume.id, { newType: 'fast', mayMove: true, demand });
    const after = { volumeTypeId: type.id, nameId: null, migrationStatus: null };
    assert.partialDeepStrictEqual(await live.settledVolume(volume), after);
    await isWhole(live.site, volume, 'alpha');
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('that would have to move, and cannot, leaves it what it was, and says so', async (context) => {
    const live = await liveSite(context);
    const { database, site } = live;
    await givenType(database, ON_BETA);
    const cases = [
      { status: 'available', hinder: (volume: Volume) => givenSnapshot(site, volume) },
      {
        status: 'in-use',
        hinder: (volume: Volume) => givenAttachment(site, volume, { ...CONNECTED, attachStatus: 'attached' }),
      },
      {
        status: 'available',
        hinder: (volume: Volume) => givenAttachment(site, volume, { ...CONNECTED, attachStatus: 'detached' }),
      },
      {
        status: 'in-use',
        hinder: (volume: Volume) => givenAttachment(site, volume, { ...OVER_NETWORK, attachStatus: 'attached' }),
        began: asVersion1,
      },
    ] as const;
    for (const { status, hinder, ...each } of cases) {
      const desk = 'began' in each ? each.began(live.desk) : live.desk;
      const volume = await givenVolume(site, { status });
      await hinder(volume);
      const objects = site.objects();
      await command(desk, caller, volume.id, { newType: 'fast', mayMove: true, demand });
      const { volumeTypeId, host } = volume;
      const after = { status, previousStatus: null, volumeTypeId, host, migrationStatus: null };
      assert.partialDeepStrictEqual(await live.settledVolume(volume), after);
      assert.deepEqual(site.objects(), objects);
      assert.deepEqual((await live.database.read.selectFrom('reservation').selectAll().execute()).length, 0);
    }
    assert.deepEqual(await site.messages(), Array(4).fill('VOLUME_VOLUME_106_027'));
    assert.deepEqual(await site.events(), []);
  });

  it('that may move finds no backend on its own host, and says so', async (context) => {
    const live = await liveSite(context);
    const { database, site } = live;
    const volume = await givenVolume(site);
    await givenType(database, { volume_backend_name: 'gamma' });
    const pools = (await site.tools.driver('node@beta').stats(AbortSignal.timeout(60_000))).map((pool) => ({
      ...pool,
      pool_name: 'gamma',
      volume_backend_name: 'gamma',
    }));
    const heartbeat = { host: 'other@gamma', binary: VOLUME_BINARY, availabilityZone: 'nova', pools, failure: null };
    await database.write((tx) => recordHeartbeat(tx, heartbeat));
    await command(live.desk, caller, volume.id, { newType: 'fast', mayMove: true, demand });
    const { volumeTypeId, host } = volume;
    const after = { status: 'available', volumeTypeId, host, migrationStatus: null } as const;
    assert.partialDeepStrictEqual(await live.settledVolume(volume), after);
    assert.deepEqual(await site.messages(), ['VOLUME_VOLUME_106_003']);
    assert.deepEqual(await site.events(), ['scheduler.retype']);
    assert.deepEqual(await site.leftovers(), []);
  });

  it('that fails at the destination leaves one volume, as it was, and its migration status says error', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    await givenType(live.database, ON_BETA);
    live.site.interpose('beta', 'receiveVolume', refuses(new BackendFull('No.')));
    await command(live.desk, caller, volume.id, { newType: 'fast', mayMove: true, demand });
    const { volumeTypeId } = volume;
    const after = { status: 'available', previousStatus: null, volumeTypeId, migrationStatus: 'error' };
    assert.partialDeepStrictEqual(await live.settledVolume(volume), after);
    await isWhole(live.site, volume, 'alpha');
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_106_101']);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('gives it the flag multiattach of its new type, and takes it away', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    await givenType(live.database, { multiattach: '<is> True' });
    await command(live.desk, caller, volume.id, { newType: 'fast', mayMove: false, demand });
    assert.equal((await live.settledVolume(volume)).multiattach, true);
    await command(live.desk, caller, volume.id, { newType: '__DEFAULT__', mayMove: false, demand });
    assert.equal((await live.settledVolume(volume)).multiattach, false);
  });

  it('of a volume that is detached meanwhile leaves it available', async (context) => {
    const live = await liveSite(context, { running: false });
    const { id } = await givenVolume(live.site, { status: 'in-use' });
    await givenType(live.database);
    const detach = () => live.database.write((tx) => updateVolume(tx, id, { previousStatus: 'available' }));
    assert.equal((await meanwhile(live, id, detach)).status, 'available');
  });

  it('counts what is there when it ends', async (context) => {
    const live = await liveSite(context, { running: false });
    const { database, site } = live;
    const volume = await givenVolume(site);
    const gone = await givenSnapshot(site, volume);
    await givenSnapshot(site, volume, { projectId: 'of-another' });
    await givenType(database);
    await meanwhile(live, volume.id, async () => {
      // As the end of a delete that had begun before.
      await database.write(async (tx) => {
        await deleteSnapshotRow(tx, gone.id);
      });
    });
    assert.deepEqual(await countedOf(database, 'fast'), [1, 1, 0]);
    const { snapshots_fast, gigabytes_fast } = await quotaUsage(database.read, 'of-another');
    assert.deepEqual([snapshots_fast?.inUse, gigabytes_fast?.inUse], [1, 1]);
  });

  it('to a type that is deleted, or encrypted, meanwhile leaves it what it was', async (context) => {
    for (const spoil of ['delete', 'encrypt'] as const) {
      const live = await liveSite(context, { running: false });
      const { volumeTypeId, id } = await givenVolume(live.site);
      const type = await givenType(live.database);
      const luks = { encryptionId: uuid(), volumeTypeId: type.id, provider: 'luks', controlLocation: 'front-end' };
      const after = await meanwhile(live, id, () =>
        live.database.write(async (tx) => {
          if (spoil === 'delete') await deleteVolumeTypeRow(tx, type.id);
          else await insertTypeEncryption(tx, { ...luks, controlLocation: 'front-end', cipher: null, keySize: null });
        }),
      );
      assert.partialDeepStrictEqual(after, { status: 'available', previousStatus: null, volumeTypeId }, spoil);
      assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_106_116'], spoil);
      assert.deepEqual(await live.site.leftovers(), [], spoil);
    }
  });
});
