/** Backups, as `pumice backups` shows them. */

import { findContent } from '../../db/backup-contents.ts';
import { findScope } from '../../db/backup-scopes.ts';
import { countBackups, dependentsOf, listBackups } from '../../db/backups.ts';
import { findVolume } from '../../db/volumes.ts';
import type { Backup } from '../../model/backup.ts';
import { BACKUP_STATUSES } from '../../model/backup-status.ts';
import { wayInWords } from '../../model/backup-way.ts';
import { called, type ResourceKind } from './kind.ts';

export const backups: ResourceKind<Backup> = {
  word: 'backup',
  statuses: BACKUP_STATUSES,
  list: listBackups,
  count: countBackups,
  columns: [{ title: 'SIZE', align: 'right' }, { title: 'KIND' }, { title: 'OF VOLUME', shrinksTo: 14 }],
  cells: ({ sizeGiB, parentId, volumeId }) => [`${sizeGiB} GiB`, parentId === null ? 'full' : 'incremental', volumeId],
  details: async ({ read }, backup) => {
    const volume = await findVolume(read, backup.volumeId);
    const scope = backup.scopeId === null ? undefined : await findScope(read, backup.scopeId);
    const dependents = (await dependentsOf(read, [backup.id])).get(backup.id) ?? 0;
    const content = await findContent(read, backup.id);
    return [
      ['size', `${backup.sizeGiB} GiB`],
      ['of volume', volume === undefined ? `${backup.volumeId} (gone)` : called(volume)],
      ['snapshot', backup.snapshotId],
      ['data of', backup.dataTimestamp === null ? null : `${backup.dataTimestamp.slice(0, 19)} UTC`],
      ['increment', backup.parentId === null ? null : `to ${backup.parentId}`],
      ['increments', dependents === 0 ? null : String(dependents)],
      ['store', scope === undefined ? null : `${scope.store}, scope ${scope.id}`],
      ['read', content?.way == null ? null : wayInWords(content.way, content.why)],
      ['objects', backup.status === 'creating' ? null : String(backup.objectCount)],
      ['host', backup.host],
      ['failed', backup.failReason],
    ];
  },
  facts: (backup) => ({
    id: backup.id,
    name: backup.name,
    description: backup.description,
    status: backup.status,
    fail_reason: backup.failReason,
    size: backup.sizeGiB,
    object_count: backup.objectCount,
    volume_id: backup.volumeId,
    snapshot_id: backup.snapshotId,
    parent_id: backup.parentId,
    project_id: backup.projectId,
    user_id: backup.userId,
    host: backup.host,
    availability_zone: backup.availabilityZone,
    data_timestamp: backup.dataTimestamp,
    metadata: backup.metadata,
    created_at: backup.createdAt,
    updated_at: backup.updatedAt,
  }),
};
