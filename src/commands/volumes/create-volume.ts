/** `POST /volumes`: blank, or from a snapshot, a volume, an image or a backup. */

import { moveBackupStatus } from '../../db/backups.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { findVolumes, insertVolume } from '../../db/volumes.ts';
import { createVolumeFromBackup } from '../../flows/backups/create-volume-from-backup.ts';
import { checkNotEncrypted } from '../../flows/encryption.ts';
import { checkVolumeSize, take } from '../../flows/quota.ts';
import { createVolume as flow } from '../../flows/volumes/create-volume.ts';
import { uuid } from '../../lib/clock.ts';
import { hostOf } from '../../model/backend.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidInput } from '../../model/errors.ts';
import { capturedMetadata, factsOf } from '../../model/image.ts';
import { volumeQuota } from '../../model/quota.ts';
import { bootSnapshotOf } from '../../model/server-image.ts';
import { VOLUME_TRANSITIONS } from '../../model/status.ts';
import type { Metadata, Volume } from '../../model/volume.ts';
import { isMultiattach } from '../../model/volume-type.ts';
import { readHints } from '../../scheduler/hints.ts';
import { backupResource, begin, exclusive, groupResource, shared, snapshotResource, volumeResource } from '../begin.ts';
import type { Desk } from '../desk.ts';
import { checkFits, groupOfVolume } from '../groups/group-of-volume.ts';
import { checkReadable, findActiveImage } from './find-image.ts';
import { checkSizeForType, chooseType, chooseZones } from './volume-choices.ts';
import { checkTypeOfClone, findSource, type Source, sizeFor } from './volume-source.ts';

export interface CreateVolumeRequest {
  readonly name: string | null;
  readonly description: string | null;
  /** Null: as large as its source. */
  readonly sizeGiB: number | null;
  readonly availabilityZone: string | null;
  /** Id or name. */
  readonly volumeType: string | null;
  readonly sourceVolumeId: string | null;
  readonly snapshotId: string | null;
  readonly groupId: string | null;
  readonly backupId: string | null;
  /** Its id, its URL, or a name that it alone has. */
  readonly imageId: string | null;
  /** An image of a server that boots from a volume stands for the snapshot that it names. */
  readonly serverImages: boolean;
  readonly metadata: Metadata;
  /** As the client sent them. */
  readonly hints: unknown;
  /** Throws when the caller has no right to it. */
  demand(rule: 'volume:multiattach'): void;
}

export async function createVolume(desk: Desk, caller: Caller, request: CreateVolumeRequest): Promise<Volume> {
  const sources = [request.sourceVolumeId, request.snapshotId, request.imageId, request.backupId].filter(
    (each) => each !== null,
  );
  if (sources.length > 1)
    throw new InvalidInput('A volume is made from one thing: a snapshot, a volume, an image or a backup.');
  const hints = readHints(request.hints);
  const image = request.imageId === null ? null : await findActiveImage(desk.tools.images, caller, request.imageId);
  const bootSnapshotId = image !== null && request.serverImages ? bootSnapshotOf(image) : null;
  if (image !== null && bootSnapshotId === null) checkReadable(image);
  const origin =
    bootSnapshotId === null ? { ...request, image } : { ...request, snapshotId: bootSnapshotId, image: null };

  return desk.db.write(async (tx) => {
    // The group is locked before what is in it, as by whoever changes it.
    const group = request.groupId === null ? null : await groupOfVolume(tx, caller, request.groupId);
    if (group !== null && request.volumeType === null)
      throw new InvalidInput('A volume is made for a group with a volume type that is said.');
    const source = await findSource(tx, caller, origin);
    const sizeGiB = sizeFor(request.sizeGiB, source);
    const type = await chooseType(tx.db, caller, request.volumeType, source, desk.config);
    if (group !== null) checkFits(group, type, source);
    if (isMultiattach(type)) request.demand('volume:multiattach');
    checkSizeForType(sizeGiB, type);
    await checkTypeOfClone(
      tx,
      source,
      type,
      'origin' in source ? await getVolumeType(tx.db, source.origin.volumeTypeId) : null,
    );
    await checkVolumeSize(tx, caller.projectId, sizeGiB, desk.config.quota);
    const { zone, zones } = await chooseZones(tx.db, request.availabilityZone, source, type, desk.config);
    await take(tx, caller.projectId, volumeQuota(sizeGiB, type.name), desk.config.quota);
    const volume = await insertVolume(tx, {
      id: uuid(),
      projectId: caller.projectId,
      userId: caller.userId,
      name: request.name,
      description: request.description,
      sizeGiB,
      status: VOLUME_TRANSITIONS.create.during[0],
      availabilityZone: zone,
      volumeTypeId: type.id,
      bootable: 'origin' in source && source.origin.bootable,
      snapshotId: origin.snapshotId,
      sourceVolumeId: request.sourceVolumeId,
      groupId: request.groupId,
      multiattach: isMultiattach(type),
      metadata: request.metadata,
      imageMetadata: source.is === 'image' ? capturedMetadata(source.image) : null,
    });
    await checkNotEncrypted(tx.db, type);
    const input = {
      volumeId: volume.id,
      zones,
      resourceBackend: 'origin' in source ? source.origin.host : group && hostOf(group.host),
      differentFrom: await poolsOf(tx, hints.differentHost),
      sameAs: await poolsOf(tx, hints.sameHost),
      image: source.is === 'image' ? factsOf(source.image) : null,
    };
    const options = {
      resource: volumeResource(volume.id),
      projectId: volume.projectId,
      holds: [
        exclusive(volumeResource(volume.id)),
        ...holdsOf(source),
        ...(group === null ? [] : [shared(groupResource(group.id))]),
      ],
    };
    if (source.is === 'backup') {
      const { id: backupId } = source.backup;
      await moveBackupStatus(tx, backupId, 'restore', { set: { restoreVolumeId: volume.id } });
      await begin(desk, tx, caller, createVolumeFromBackup, { ...input, backupId }, options);
    } else await begin(desk, tx, caller, flow, input, options);
    return volume;
  });
}

/** While it is read it can be neither deleted nor changed in size. */
function holdsOf(source: Source) {
  if (source.is === 'snapshot')
    return [shared(snapshotResource(source.snapshot.id)), shared(volumeResource(source.origin.id))];
  if (source.is === 'backup') return [exclusive(backupResource(source.backup.id))];
  return source.is === 'volume' ? [shared(volumeResource(source.origin.id))] : [];
}

/** Null when the hint was not given; volumes that are not there, or not placed yet, have no pool. */
async function poolsOf({ db }: Tx, ids: readonly string[]): Promise<readonly string[] | null> {
  if (ids.length === 0) return null;
  const pools = (await findVolumes(db, ids)).flatMap(({ host }) => (host === null ? [] : [host]));
  return [...new Set(pools)];
}
