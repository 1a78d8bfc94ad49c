/** The views of a backup: in a list and as an answer, and in detail, version by version. */
import { dependentsOf } from '../../db/backups.ts';
import type { Backup } from '../../model/backup.ts';
import type { Links } from '../links.ts';
import { BACKUP_METADATA, BACKUP_PROJECT, BACKUP_USER, ENCRYPTION_KEY_ID, OLDEST } from '../microversion.ts';
import type { ApiCall } from '../route.ts';
import { Fields, only } from '../view.ts';

interface Viewer {
  readonly links: Links;
  readonly seesOwner: boolean;
  readonly hasDependents: (id: string) => boolean;
}

/** `GET backups`, and what a create or an update answers. */
export const backupSummary = new Fields<Backup, Pick<Viewer, 'links'>>([
  [OLDEST, 'id', ({ id }) => id],
  [OLDEST, 'name', ({ name }) => name],
  [OLDEST, 'links', linksTo],
]);

const detail = new Fields<Backup, Viewer>([
  [OLDEST, 'id', ({ id }) => id],
  [OLDEST, 'status', ({ status }) => status],
  [OLDEST, 'size', ({ sizeGiB }) => sizeGiB],
  [OLDEST, 'object_count', ({ objectCount }) => objectCount],
  [OLDEST, 'availability_zone', ({ availabilityZone }) => availabilityZone],
  [OLDEST, 'container', ({ container }) => container],
  [OLDEST, 'created_at', ({ createdAt }) => createdAt],
  [OLDEST, 'updated_at', ({ updatedAt }) => updatedAt],
  [OLDEST, 'name', ({ name }) => name],
  [OLDEST, 'description', ({ description }) => description],
  [OLDEST, 'fail_reason', ({ failReason }) => failReason],
  [OLDEST, 'volume_id', ({ volumeId }) => volumeId],
  [OLDEST, 'links', linksTo],
  [OLDEST, 'is_incremental', ({ parentId }) => parentId !== null],
  [OLDEST, 'has_dependent_backups', ({ id }, { hasDependents }) => hasDependents(id)],
  [OLDEST, 'snapshot_id', ({ snapshotId }) => snapshotId],
  [OLDEST, 'data_timestamp', ({ dataTimestamp }) => dataTimestamp],
  [BACKUP_PROJECT, 'os-backup-project-attr:project_id', ({ projectId }, { seesOwner }) => only(seesOwner, projectId)],
  [BACKUP_METADATA, 'metadata', ({ metadata }) => metadata],
  [BACKUP_USER, 'user_id', ({ userId }, { seesOwner }) => only(seesOwner, userId)],
  [ENCRYPTION_KEY_ID, 'encryption_key_id', ({ encryptionKeyId }) => encryptionKeyId ?? undefined],
]);

/** `GET backups/{id}`, `GET backups/detail`. */
export async function backupDetails(call: ApiCall, backups: readonly Backup[]): Promise<readonly object[]> {
  const dependents = await dependentsOf(
    call.desk.db.read,
    backups.map(({ id }) => id),
  );
  const viewer: Viewer = {
    links: call.links,
    seesOwner: call.may('backup:backup_project_attribute'),
    hasDependents: (id) => dependents.has(id),
  };
  return backups.map((backup) => detail.show(backup, viewer, call.version));
}

function linksTo({ id }: Backup, { links: { prefix, bookmark } }: Pick<Viewer, 'links'>): readonly object[] {
  return [
    { rel: 'self', href: `${prefix}/backups/${id}` },
    { rel: 'bookmark', href: `${bookmark}/backups/${id}` },
  ];
}
