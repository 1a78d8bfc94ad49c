import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachVolume } from '../../../src/commands/attachments/attach-volume.ts';
import { createAttachment } from '../../../src/commands/attachments/create-attachment.ts';
import { initializeConnection } from '../../../src/commands/attachments/initialize-connection.ts';
import { reserveVolume } from '../../../src/commands/attachments/volume-reservation.ts';
import { createTransfer } from '../../../src/commands/transfers/create-transfer.ts';
import { createVolume } from '../../../src/commands/volumes/create-volume.ts';
import { extendVolume } from '../../../src/commands/volumes/extend-volume.ts';
import { type MigrateVolumeRequest, migrateVolume } from '../../../src/commands/volumes/migrate-volume.ts';
import { resetVolumeStatus } from '../../../src/commands/volumes/reset-volume-status.ts';
import { unmanageVolume } from '../../../src/commands/volumes/unmanage-volume.ts';
import { updateVolume } from '../../../src/commands/volumes/update-volume.ts';
import { VOLUME_BINARY } from '../../../src/db/pools.ts';
import { recordHeartbeat, updateService } from '../../../src/db/services.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { VOLUME_STATUSES } from '../../../src/model/status.ts';
import { CONNECTED, givenAttachment, givenSnapshot, givenVolume, HERE, OVER_NETWORK } from '../../flows/given.ts';
import { type LiveSite, type LiveSiteOptions, liveSite } from '../../flows/live-site.ts';
import { volumeRequest } from '../../flows/requests.ts';
import { caller } from '../../flows/site.ts';
import { refused } from '../refused.ts';

const resting: LiveSiteOptions = { running: false };
const migrate = ({ desk }: LiveSite, id: string, request: Partial<MigrateVolumeRequest> = {}) =>
  migrateVolume(desk, caller, id, { host: 'node@beta#beta', forceHostCopy: false, lockVolume: false, ...request });
const invalid = (name: string, message: RegExp) => ({ name, status: 400, message });

describe('migrating a volume', () => {
  it('says that it starts, and locks the volume when that is asked for', async (context) => {
    const live = await liveSite(context, resting);
    for (const [lockVolume, status, previousStatus] of [
      [false, 'available', null],
      [true, 'maintenance', 'available'],
    ] as const) {
      const { id } = await givenVolume(live.site);
      await migrate(live, id, { lockVolume });
      const after = { status, previousStatus, migrationStatus: 'starting', host: 'node@alpha#alpha' };
      assert.partialDeepStrictEqual(await getVolume(live.database.read, id), after);
    }
  });

  it('begins while it is attached, when it is reached over the network', async (context) => {
    const live = await liveSite(context, { ...resting, overNetwork: true });
    for (const [lockVolume, status] of [
      [false, 'in-use'],
      [true, 'maintenance'],
    ] as const) {
      const volume = await givenVolume(live.site, { status: 'in-use' });
      await givenAttachment(live.site, volume, { ...OVER_NETWORK, attachStatus: 'attached' });
      await migrate(live, volume.id, { lockVolume });
      const after = { status, migrationStatus: 'starting' };
      assert.partialDeepStrictEqual(await getVolume(live.database.read, volume.id), after);
      assert.equal((await live.flowOf(`volume:${volume.id}`)).name, 'migrate_attached_volume');
    }
  });

  it('may begin again after one has ended, and goes to a host of which any other pool will do', async (context) => {
    const live = await liveSite(context, resting);
    for (const migrationStatus of ['success', 'error', 'none'])
      await migrate(live, (await givenVolume(live.site, { migrationStatus })).id, { host: 'node@beta' });
  });

  describe('is refused, and leaves nothing,', () => {
    it('in each status that is not one to migrate from, without a backend, in a group or while it is migrated', async (context) => {
      const live = await liveSite(context, resting);
      for (const status of VOLUME_STATUSES) {
        if (status === 'available' || status === 'in-use') continue;
        const { id } = await givenVolume(live.site, { status });
        const message = new RegExp(`available or in-use .*; it is ${status}`);
        await refused(live, () => migrate(live, id), invalid('InvalidVolume', message));
      }
      for (const given of [{ host: null }, { groupId: uuid() }, { migrationStatus: 'starting' }]) {
        const { id } = await givenVolume(live.site, given);
        await refused(live, () => migrate(live, id), invalid('InvalidVolume', /migrated/));
      }
    });

    it('while it has snapshots, or is attached or connected by its path', async (context) => {
      const live = await liveSite(context, resting);
      const volume = await givenVolume(live.site);
      await givenSnapshot(live.site, volume);
      await refused(live, () => migrate(live, volume.id), invalid('InvalidVolume', /snapshots.*delete them first/));
      for (const [status, attachStatus] of [
        ['available', 'detached'],
        ['in-use', 'attached'],
      ] as const) {
        const reached = await givenVolume(live.site, { status });
        await givenAttachment(live.site, reached, { ...CONNECTED, attachStatus });
        const message = /attached by its path .*: detach it first/;
        await refused(live, () => migrate(live, reached.id), invalid('InvalidVolume', message));
      }
    });

    it('to where it is, to nothing, to what is down or disabled, and to another host', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site);
      const { database } = live;
      const [beta] = await database.read.selectFrom('service').selectAll().where('host', '=', 'node@beta').execute();
      const pools = JSON.parse(beta?.pools ?? '[]');
      const heartbeat = { binary: VOLUME_BINARY, availabilityZone: 'nova', pools, failure: null };
      await database.write(async (tx) => {
        for (const host of ['other@beta', 'node@gamma', 'node@delta'])
          await recordHeartbeat(tx, { ...heartbeat, host });
        await recordHeartbeat(tx, { ...heartbeat, host: 'node@delta', failure: 'It burns.' });
        await updateService(tx, 'node@gamma', VOLUME_BINARY, { disabled: true });
      });
      for (const [host, message] of [
        ['node@alpha#alpha', /is on node@alpha#alpha: name another pool/],
        ['node@alpha', /is on node@alpha#alpha: name another pool/],
        ['node', /No available service named node,/],
        ['nowhere@beta#beta', /No available service named nowhere@beta,/],
        ['node@beta#other', /no such pool: node@beta#other/],
        ['node@gamma#beta', /No available service/],
        ['node@delta#beta', /No available service/],
        ['other@beta#beta', /on another host than .* target_protocol/],
      ] as const)
        await refused(live, () => migrate(live, id, { host }), invalid('InvalidInput', message));
    });
  });
});

describe('while a volume is migrated', () => {
  it('what would be lost by the switch is refused, and leaves nothing', async (context) => {
    const live = await liveSite(context, resting);
    const { desk } = live;
    const { id } = await givenVolume(live.site);
    await migrate(live, id);
    for (const ask of [
      () => migrate(live, id),
      () => extendVolume(desk, caller, id, 2, { inUseAllowed: true }),
      () => unmanageVolume(desk, caller, id),
      () => reserveVolume(desk, caller, id),
      () =>
        createAttachment(desk, caller, { volumeId: id, instanceId: null, connector: null, mode: null, demand() {} }),
      () => attachVolume(desk, caller, id, { instanceId: null, hostName: 'h', mountpoint: '/dev/vdb', mode: null }),
      () => initializeConnection(desk, caller, id, HERE),
      () => createVolume(desk, caller, volumeRequest({ sourceVolumeId: id })),
      () => createTransfer(desk, caller, { volumeId: id, name: null, noSnapshots: false, encryptedAllowed: false }),
      () => resetVolumeStatus(desk, caller, id, { migrationStatus: null }),
    ])
      await assert.rejects(ask, { status: 400, message: /being migrated|migrate volume/ }, String(ask));
  });

  it('its name and metadata may change, but not when it is locked', async (context) => {
    const live = await liveSite(context, resting);
    const { id } = await givenVolume(live.site);
    await migrate(live, id);
    await updateVolume(live.desk, caller, id, { name: 'other' });
    const locked = await givenVolume(live.site);
    await migrate(live, locked.id, { lockVolume: true });
    const rename = () => updateVolume(live.desk, caller, locked.id, { name: 'other' });
    await refused(live, rename, invalid('InvalidVolume', /maintenance/));
  });
});
