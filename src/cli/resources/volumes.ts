/** Volumes, as `pumice volumes` shows them. */
import { findVolumeType } from '../../db/volume-types.ts';
import { countVolumes, listVolumes } from '../../db/volumes.ts';
import { VOLUME_STATUSES } from '../../model/status.ts';
import type { Volume } from '../../model/volume.ts';
import type { ResourceKind } from './kind.ts';

export const volumes: ResourceKind<Volume> = {
  word: 'volume',
  statuses: VOLUME_STATUSES,
  list: listVolumes,
  count: countVolumes,
  columns: [
    { title: 'SIZE', align: 'right' },
    { title: 'HOST', shrinksTo: 8 },
  ],
  cells: ({ sizeGiB, host }) => [`${sizeGiB} GiB`, host ?? ''],
  details: async ({ read }, volume) => [
    ['size', `${volume.sizeGiB} GiB`],
    ['type', (await findVolumeType(read, volume.volumeTypeId))?.name ?? volume.volumeTypeId],
    ['host', volume.host],
    ['attached', volume.attachStatus],
    ['migration', volume.migrationStatus],
    ['from', volume.snapshotId === null ? null : `snapshot ${volume.snapshotId}`],
    ['from', volume.sourceVolumeId === null ? null : `volume ${volume.sourceVolumeId}`],
    ['group', volume.groupId],
  ],
  facts: (volume) => ({
    id: volume.id,
    name: volume.name,
    description: volume.description,
    status: volume.status,
    previous_status: volume.previousStatus,
    attach_status: volume.attachStatus,
    migration_status: volume.migrationStatus,
    size: volume.sizeGiB,
    project_id: volume.projectId,
    user_id: volume.userId,
    host: volume.host,
    availability_zone: volume.availabilityZone,
    volume_type_id: volume.volumeTypeId,
    snapshot_id: volume.snapshotId,
    source_volid: volume.sourceVolumeId,
    group_id: volume.groupId,
    bootable: volume.bootable,
    multiattach: volume.multiattach,
    metadata: volume.metadata,
    created_at: volume.createdAt,
    updated_at: volume.updatedAt,
  }),
};
