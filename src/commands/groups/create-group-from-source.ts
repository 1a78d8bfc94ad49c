/**
 * `POST /groups/action` `create-from-src`: a group with a copy of each volume of another, or of each part of a group snapshot.
 *
 * Everything is looked at before the first row is made; the group, all its volumes and all that they count for come in one transaction,
 * so a refusal leaves nothing. They are on the backend of what they are made from.
 */
import { getGroupType } from '../../db/group-types.ts';
import { getGroup, insertGroup } from '../../db/groups.ts';
import { addPoolUsage } from '../../db/pool-usage.ts';
import { lockSnapshotRow, snapshotsOfGroup } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { getVolume, insertVolume } from '../../db/volumes.ts';
import { checkNotEncrypted } from '../../flows/encryption.ts';
import { type CopiedVolume, createGroupFromSource as flow } from '../../flows/groups/create-group-from-source.ts';
import { checkVolumeSize, take } from '../../flows/quota.ts';
import { now, uuid } from '../../lib/clock.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidGroup, InvalidGroupSnapshot, InvalidInput } from '../../model/errors.ts';
import type { Group } from '../../model/group.ts';
import { GROUP_TRANSITIONS } from '../../model/group-status.ts';
import { wantsOneMoment } from '../../model/group-type.ts';
import { GROUP_QUOTA, volumeQuota } from '../../model/quota.ts';
import { VOLUME_TRANSITIONS } from '../../model/status.ts';
import { refOf, type Volume } from '../../model/volume.ts';
import { isMultiattach } from '../../model/volume-type.ts';
import {
  begin,
  exclusive,
  groupResource,
  groupSnapshotResource,
  shared,
  snapshotResource,
  volumeResource,
} from '../begin.ts';
import { checkGroupSnapshotStatus, checkGroupStatus, checkSnapshotStatus, checkVolumeStatus } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockGroup, lockGroupSnapshot, lockGroupType } from '../lock.ts';
import { lockMembers } from './lock-members.ts';

export interface CreateGroupFromSourceRequest {
  readonly name: string | null;
  readonly description: string | null;
  /** One of the two. */
  readonly groupSnapshotId: string | null;
  readonly sourceGroupId: string | null;
}

/** What one volume of the new group is made from; `origin` is that volume, or the volume of that snapshot. */
interface Source {
  readonly spec: CopiedVolume['spec'];
  readonly origin: Volume;
  readonly volumeTypeId: string;
  readonly sizeGiB: number;
}

interface Sources {
  readonly group: Group;
  readonly sources: readonly Source[];
  readonly holds: readonly ReturnType<typeof shared>[];
}

export async function createGroupFromSource(
  desk: Desk,
  caller: Caller,
  request: CreateGroupFromSourceRequest,
): Promise<Group> {
  const { name, description, groupSnapshotId, sourceGroupId } = request;
  if ((groupSnapshotId === null) === (sourceGroupId === null))
    throw new InvalidInput('A group is made from one thing: from a group_snapshot_id or a source_group_id.');
  return desk.db.write(async (tx) => {
    const {
      group: source,
      sources,
      holds,
    } = groupSnapshotId === null
      ? await ofGroup(tx, caller, sourceGroupId ?? '')
      : await ofGroupSnapshot(tx, caller, groupSnapshotId);
    const pool = sources[0]?.origin.host ?? null;
    if (pool === null) throw new InvalidGroup(`Group ${source.id} has no volumes on a backend.`);
    await lockGroupType(tx, source.groupTypeId);
    await take(tx, caller.projectId, GROUP_QUOTA, desk.config.quota);
    const group = await insertGroup(tx, {
      id: uuid(),
      projectId: caller.projectId,
      userId: caller.userId,
      name,
      description,
      status: GROUP_TRANSITIONS.create.during[0],
      host: source.host,
      availabilityZone: source.availabilityZone,
      groupTypeId: source.groupTypeId,
      volumeTypeIds: source.volumeTypeIds,
      groupSnapshotId,
      sourceGroupId,
      replicationStatus: source.replicationStatus,
    });
    const members: CopiedVolume[] = [];
    for (const each of sources)
      members.push({ volumeRef: refOf(await insertCopy(desk, tx, caller, group, each)), spec: each.spec });
    await begin(
      desk,
      tx,
      caller,
      flow,
      { groupId: group.id, pool, members },
      {
        resource: groupResource(group.id),
        projectId: group.projectId,
        holds: [
          exclusive(groupResource(group.id)),
          ...members.map(({ volumeRef }) => exclusive(volumeResource(volumeRef.id))),
          ...holds,
        ],
      },
    );
    return group;
  });
}

async function ofGroupSnapshot(tx: Tx, caller: Caller, id: string): Promise<Sources> {
  const groupSnapshot = await lockGroupSnapshot(tx, caller, id);
  checkGroupSnapshotStatus(groupSnapshot, 'read');
  const sources: Source[] = [];
  for (const { id: part } of await snapshotsOfGroup(tx.db, id)) {
    const snapshot = await lockSnapshotRow(tx, part);
    if (snapshot === undefined) continue;
    checkSnapshotStatus(snapshot, 'read');
    const { volumeId, volumeTypeId, volumeSizeGiB: sizeGiB } = snapshot;
    const spec = { type: 'snap', snapshot: { id: part, volumeId, sizeGiB } } as const;
    sources.push({ spec, origin: await getVolume(tx.db, volumeId), volumeTypeId, sizeGiB });
  }
  if (sources.length === 0)
    throw new InvalidGroupSnapshot(`Group snapshot ${id} has no snapshots to make volumes from.`);
  const holds = sources.flatMap(({ spec, origin }) => [
    ...(spec.type === 'snap' ? [shared(snapshotResource(spec.snapshot.id))] : []),
    shared(volumeResource(origin.id)),
  ]);
  return {
    group: await getGroup(tx.db, groupSnapshot.groupId),
    sources,
    holds: [shared(groupSnapshotResource(id)), ...holds],
  };
}

async function ofGroup(tx: Tx, caller: Caller, id: string): Promise<Sources> {
  const group = await lockGroup(tx, caller, id);
  checkGroupStatus(group, 'clone');
  const members = await lockMembers(tx, id);
  if (members.length === 0) throw new InvalidGroup(`Group ${id} has no volumes to be copied.`);
  for (const volume of members) checkVolumeStatus(volume, 'clone');
  const written = members.find(({ status }) => status === 'in-use');
  if (written !== undefined && wantsOneMoment(await getGroupType(tx.db, group.groupTypeId)))
    throw new InvalidGroup(
      `Volume ${written.id} of group ${id} is in use, and its type demands copies of one moment: take a group snapshot, and make the group from that.`,
    );
  return {
    group,
    sources: members.map((origin) => ({
      spec: { type: 'source_vol', source: refOf(origin) },
      origin,
      volumeTypeId: origin.volumeTypeId,
      sizeGiB: origin.sizeGiB,
    })),
    holds: [shared(groupResource(id)), ...members.map((volume) => shared(volumeResource(volume.id)))],
  };
}

/** The row of a member, and all it counts for. */
async function insertCopy(desk: Desk, tx: Tx, caller: Caller, group: Group, source: Source): Promise<Volume> {
  const { origin, spec, sizeGiB, volumeTypeId } = source;
  const { projectId, userId } = caller;
  const { quota } = desk.config;
  const type = await getVolumeType(tx.db, volumeTypeId);
  await checkNotEncrypted(tx.db, type);
  await checkVolumeSize(tx, projectId, sizeGiB, quota);
  await take(tx, projectId, volumeQuota(sizeGiB, type.name), quota);
  if (origin.host !== null)
    await addPoolUsage(tx, { pool: origin.host, allocatedGiB: sizeGiB, provisionedGiB: sizeGiB, volumes: 1 });
  return insertVolume(tx, {
    id: uuid(),
    projectId,
    userId,
    sizeGiB,
    status: VOLUME_TRANSITIONS.create.during[0],
    host: origin.host,
    availabilityZone: origin.availabilityZone,
    volumeTypeId,
    bootable: origin.bootable,
    snapshotId: spec.type === 'snap' ? spec.snapshot.id : null,
    sourceVolumeId: spec.type === 'source_vol' ? spec.source.id : null,
    groupId: group.id,
    multiattach: isMultiattach(type),
    scheduledAt: now(),
  });
}
