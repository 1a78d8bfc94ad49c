/**
 * Volumes, snapshots and groups that are there before a test begins: row, quota, pool usage and the object on the backend, all in
 * agreement, and no flow that made them.
 */
import { open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { insertAttachment } from '../../src/db/attachments.ts';
import { keepBase } from '../../src/db/backup-bases.ts';
import { keepContent } from '../../src/db/backup-contents.ts';
import { knowStore, scopeOfVolume } from '../../src/db/backup-scopes.ts';
import { insertBackup } from '../../src/db/backups.ts';
import { insertGroupSnapshot } from '../../src/db/group-snapshots.ts';
import { updateGroupType } from '../../src/db/group-types.ts';
import { putCachedImage } from '../../src/db/image-cache.ts';
import { addPoolUsage } from '../../src/db/pool-usage.ts';
import { VOLUME_BINARY } from '../../src/db/pools.ts';
import { countQuota } from '../../src/db/quotas.ts';
import { findService, recordHeartbeat } from '../../src/db/services.ts';
import { insertSnapshot } from '../../src/db/snapshots.ts';
import { defaultVolumeType } from '../../src/db/volume-types.ts';
import { insertVolume } from '../../src/db/volumes.ts';
import type { DriverCall, ImageFile, SnapshotRef } from '../../src/drivers/driver.ts';
import { now, uuid } from '../../src/lib/clock.ts';
import type { Attachment, NewAttachment } from '../../src/model/attachment.ts';
import type { Backup, NewBackup } from '../../src/model/backup.ts';
import type { Group, NewGroup } from '../../src/model/group.ts';
import type { GroupSnapshot } from '../../src/model/group-snapshot.ts';
import { ONE_MOMENT } from '../../src/model/group-type.ts';
import { cachedImageId, type Image } from '../../src/model/image.ts';
import { backupQuota, GROUP_QUOTA, snapshotQuota, volumeQuota } from '../../src/model/quota.ts';
import type { NewSnapshot, Snapshot } from '../../src/model/snapshot.ts';
import type { NewVolume, Volume } from '../../src/model/volume.ts';
import { makeGroup } from '../db/rows.ts';
import { type BackendName, caller, type Site } from './site.ts';

const call = { signal: new AbortController().signal, progress: () => {} };

/** What each of them begins with, so that a copy can be told. */
export const contentOf = ({ id }: { readonly id: string }): Buffer => Buffer.from(`content of ${id}`);

/** `available` on alpha, unless the row says otherwise. */
export async function givenVolume(site: Site, given: Partial<NewVolume> = {}): Promise<Volume> {
  const type = await defaultVolumeType(site.database.read);
  const volume = await site.database.write(async (tx) => {
    const made = await insertVolume(tx, {
      id: uuid(),
      projectId: caller.projectId,
      userId: caller.userId,
      sizeGiB: 1,
      status: 'available',
      host: 'node@alpha#alpha',
      availabilityZone: 'nova',
      volumeTypeId: type.id,
      launchedAt: now(),
      ...given,
    });
    await countQuota(tx, made.projectId, volumeQuota(made.sizeGiB, type.name));
    if (made.host !== null) {
      const { host: pool, sizeGiB } = made;
      await addPoolUsage(tx, { pool, allocatedGiB: sizeGiB, provisionedGiB: sizeGiB, volumes: 1 });
    }
    return made;
  });
  if (volume.host === null) return volume;
  await site.tools.driver(volume.host).createVolume(volume, call);
  await write(site, volume.host, `volume-${volume.nameId ?? volume.id}`, contentOf(volume));
  return volume;
}

/** Kept where volumes are made, of a GiB. */
export async function givenCachedImage(site: Site, backend: BackendName, image: Image): Promise<void> {
  const pool = `node@${backend}#${backend}`;
  const id = cachedImageId(image) ?? '';
  const path = await site.images.whereItLies(image);
  const format = image.diskFormat as ImageFile['format'];
  await site.tools.driver(pool).cacheImage(id, { path, format }, 1, call);
  await site.database.write((tx) => putCachedImage(tx, { pool, id, imageId: image.id, sizeGiB: 1 }));
}

export async function givenSnapshot(site: Site, volume: Volume, given: Partial<NewSnapshot> = {}): Promise<Snapshot> {
  const { host: pool, sizeGiB } = volume;
  if (pool === null) throw new TypeError('The volume is not on a backend.');
  const type = await defaultVolumeType(site.database.read);
  const snapshot = await site.database.write(async (tx) => {
    await countQuota(tx, volume.projectId, snapshotQuota(sizeGiB, type.name, true));
    await addPoolUsage(tx, { pool, allocatedGiB: 0, provisionedGiB: sizeGiB, volumes: 0 });
    return insertSnapshot(tx, {
      id: uuid(),
      projectId: volume.projectId,
      userId: volume.userId,
      volumeId: volume.id,
      volumeTypeId: volume.volumeTypeId,
      volumeSizeGiB: sizeGiB,
      status: 'available',
      ...given,
    });
  });
  await site.tools
    .driver(pool)
    .createSnapshot({ id: snapshot.id, volumeId: volume.id, volumeNameId: volume.nameId, sizeGiB }, call);
  await write(site, pool, `snapshot-${snapshot.id}`, contentOf(snapshot));
  return snapshot;
}

/** `available`, of what the volume holds now. */
export async function givenBackup(site: Site, volume: Volume, given: Partial<NewBackup> = {}): Promise<Backup> {
  const { projectId, userId } = caller;
  const backup = await site.database.write(async (tx) => {
    const scope = await scopeOfVolume(tx, 'main', projectId, volume.id);
    await knowStore(tx, scope.id, site.backups.store);
    const made = await insertBackup(tx, {
      id: uuid(),
      projectId,
      userId,
      volumeId: volume.id,
      sizeGiB: volume.sizeGiB,
      status: 'available',
      host: 'node',
      dataTimestamp: now(),
      scopeId: scope.id,
      epoch: scope.epoch,
      ...given,
    });
    await countQuota(tx, projectId, backupQuota(made.sizeGiB));
    await keepContent(tx, { backupId: made.id, scopeId: scope.id, root: 'ab', packs: [`${made.id}/1-0`] });
    return made;
  });
  site.backups.hold(backup.id, volume.sizeGiB, contentOf(volume));
  return backup;
}

/** A volume, and its backup, of which alpha keeps a base. */
export async function givenBase(
  site: Site,
  given: Partial<NewVolume> = {},
): Promise<{ readonly volume: Volume; readonly parent: Backup }> {
  const volume = await givenVolume(site, given);
  const parent = await givenBackup(site, volume);
  const pool = volume.host ?? '';
  await site.tools.driver(pool).keepForBackup(parent.id, { volume }, call);
  const base = { backupId: parent.id, volume: { id: volume.id, nameId: volume.nameId }, pool, root: 'ab' };
  await site.database.write((tx) => keepBase(tx, base, true));
  return { volume, parent };
}

/** What backends keep of backups: `alpha/backup-<id>`. */
export const backupsOn = (site: Site): readonly string[] => site.objects().filter((name) => /^\w+\/backup-/.test(name));

/** `available` on alpha, of a type of its own, unless the row says otherwise. */
export async function givenGroup(site: Site, given: Partial<NewGroup> = {}): Promise<Group> {
  const { projectId, userId } = caller;
  const group = await makeGroup(site.database, { projectId, userId, host: 'node@alpha#alpha', ...given });
  await site.database.write((tx) => countQuota(tx, projectId, GROUP_QUOTA));
  return group;
}

/** The group's type demands one moment, and its backend says that it keeps it; the file system beneath may not. */
export async function keepsMoments(site: Site, { groupTypeId }: Group): Promise<void> {
  const { read } = site.database;
  const service = await findService(read, 'node@alpha', VOLUME_BINARY);
  if (service === undefined) throw new TypeError('The backend has not told of itself.');
  const { host, binary, availabilityZone, failure } = service;
  const pools = service.pools.map((pool) => ({ ...pool, [ONE_MOMENT]: true }));
  await site.database.write(async (tx) => {
    await updateGroupType(tx, groupTypeId, { groupSpecs: { [ONE_MOMENT]: '<is> True' } });
    await recordHeartbeat(tx, { host, binary, availabilityZone, failure, pools });
  });
  site.interpose('alpha', 'createGroupSnapshot', async (_proceed, [snapshots, context]) => {
    const driver = site.tools.driver('node@alpha');
    const models = [];
    for (const each of snapshots as readonly SnapshotRef[])
      models.push(await driver.createSnapshot(each, context as DriverCall));
    return models;
  });
}

/** `available`, with a snapshot of each of these volumes. */
export async function givenGroupSnapshot(
  site: Site,
  group: Group,
  volumes: readonly Volume[],
): Promise<{ readonly groupSnapshot: GroupSnapshot; readonly parts: readonly Snapshot[] }> {
  const { id: groupId, projectId, userId, groupTypeId } = group;
  const groupSnapshot = await site.database.write((tx) =>
    insertGroupSnapshot(tx, { id: uuid(), projectId, userId, status: 'available', groupId, groupTypeId }),
  );
  const parts: Snapshot[] = [];
  for (const volume of volumes) parts.push(await givenSnapshot(site, volume, { groupSnapshotId: groupSnapshot.id }));
  return { groupSnapshot, parts };
}

/** One that is only reserved, or, where the row has connection info, exported. */
export async function givenAttachment(
  site: Site,
  volume: Volume,
  given: Partial<NewAttachment> = {},
): Promise<Attachment> {
  const attachment = await site.database.write((tx) =>
    insertAttachment(tx, {
      id: uuid(),
      projectId: volume.projectId,
      volumeId: volume.id,
      attachMode: 'rw',
      attachStatus: 'reserved',
      ...given,
    }),
  );
  const { id: attachmentId, connector, connectionInfo, secret } = attachment;
  if (connector !== null && connectionInfo !== null) {
    const wanted = { attachmentId, volume, connector, readOnly: false, secret };
    await site.tools.driver(volume.host ?? '').ensureExport(wanted, call);
  }
  return attachment;
}

/** This machine, to which every backend of a site can be connected. */
export const HERE = { host: hostname(), initiator: 'iqn.2004-10.test:here' } as const;
export const OVER_NETWORK = { connector: HERE, connectionInfo: { driver_volume_type: 'iscsi', data: {} } } as const;
export const CONNECTED = { connector: HERE, connectionInfo: { driver_volume_type: 'local', data: {} } } as const;

async function write(site: Site, pool: string, name: string, content: Buffer): Promise<void> {
  const backend = pool.slice(pool.indexOf('#') + 1) as BackendName;
  const file = await open(site.path(backend, name), 'r+');
  await file.write(content, 0, content.length, 0);
  await file.close();
}
