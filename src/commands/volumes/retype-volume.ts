/**
 * `os-retype`: gives a volume, and its snapshots, another type. Everything that can be known is asked here; whether the volume's
 * backend is good for the new type is the scheduler's to say, in the flow. Quota is promised of the new type alone: what the
 * project has in all stays the same.
 */
import { getQosSpecs } from '../../db/qos-specs.ts';
import { snapshotsOf } from '../../db/snapshots.ts';
import type { Db } from '../../db/sql/db.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { moveVolumeStatus } from '../../db/volumes.ts';
import { checkNotEncrypted } from '../../flows/encryption.ts';
import { reserve } from '../../flows/quota.ts';
import { retypeQuota } from '../../flows/volumes/retype-quota.ts';
import { retypeVolume as flow } from '../../flows/volumes/retype-volume.ts';
import { uuid } from '../../lib/clock.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidInput } from '../../model/errors.ts';
import { refOf, type Volume } from '../../model/volume.ts';
import { isMultiattach, type VolumeType } from '../../model/volume-type.ts';
import { begin, exclusive, volumeResource } from '../begin.ts';
import { refusedVolume } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { refuseMigratingOrMember } from './migrating.ts';
import { checkSizeForType, typeFor } from './volume-choices.ts';

export interface RetypeVolumeRequest {
  /** Id or name. */
  readonly newType: string;
  /** To another backend, when the one it is on is not good for the new type (`on-demand`). */
  readonly mayMove: boolean;
  /** Throws when the caller has no right to it. */
  demand(rule: 'volume:multiattach'): void;
}

export async function retypeVolume(
  desk: Desk,
  caller: Caller,
  id: string,
  { newType, mayMove, demand }: RetypeVolumeRequest,
): Promise<void> {
  await desk.db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    const type = await typeFor(tx.db, caller, newType, desk.config);
    const { status: previousStatus, host: pool } = volume;
    refuseMigratingOrMember(volume, 'retyped');
    if (type.id === volume.volumeTypeId) throw new InvalidInput(`Volume ${id} is of type ${type.name} already.`);
    const moved = await moveVolumeStatus(tx, id, 'retype');
    if (!moved || pool === null) throw refusedVolume(volume, 'retype');
    if (previousStatus === 'in-use') await checkWhileInUse(tx.db, volume, type);
    if (isMultiattach(type) && !volume.multiattach) demand('volume:multiattach');
    checkSizeForType(volume.sizeGiB, type);
    await checkNotEncrypted(tx.db, type);
    const copyId = uuid();
    const flowId = await begin(
      desk,
      tx,
      caller,
      flow,
      { volumeRef: refOf(volume), pool, newTypeId: type.id, previousStatus, mayMove, copyId, copies: false },
      {
        resource: volumeResource(id),
        projectId: volume.projectId,
        holds: [id, ...(mayMove ? [copyId] : [])].map((each) => exclusive(volumeResource(each))),
      },
    );
    const { quota } = desk.config;
    const snapshots = await snapshotsOf(tx.db, id);
    const all = await retypeQuota(tx, { volume, snapshots, type }, !quota.no_snapshot_gb_quota);
    for (const [projectId, deltas] of all) await reserve(tx, flowId, projectId, deltas, quota);
  });
}

/** Of what the host was told that has the volume, nothing may change. Throws `InvalidInput`. */
async function checkWhileInUse(db: Db, volume: Volume, type: VolumeType): Promise<void> {
  if (isMultiattach(type) !== volume.multiattach)
    throw new InvalidInput(`Volume ${volume.id} must be available for multiattach to change; it is ${volume.status}.`);
  const before = await getVolumeType(db, volume.volumeTypeId);
  if (before.qosSpecsId === type.qosSpecsId) return;
  if ((await isToldOfQos(db, before)) || (await isToldOfQos(db, type)))
    throw new InvalidInput(
      `Volume ${volume.id} must be available for the QoS specs of its front end to change; it is ${volume.status}.`,
    );
}

/** Whether the host that a volume of the type is attached to is told its QoS specs. */
async function isToldOfQos(db: Db, { qosSpecsId }: VolumeType): Promise<boolean> {
  return qosSpecsId !== null && (await getQosSpecs(db, qosSpecsId)).consumer !== 'back-end';
}
