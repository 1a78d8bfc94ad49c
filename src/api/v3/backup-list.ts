/** The lists of backups. */
import { type BackupField, countBackups, listBackups } from '../../db/backups.ts';
import type { ListFilter } from '../../db/sql/list-query.ts';
import type { Backup } from '../../model/backup.ts';
import { type FilterTable, filtersOf } from '../filters.ts';
import { BACKUP_SORT_BY_NAME } from '../microversion.ts';
import { nextLinks, pageOf, projectShown, wantsCount } from '../page.ts';
import type { ApiCall } from '../route.ts';

export const BACKUP_FILTERS: FilterTable<BackupField> = {
  id: { field: 'id', as: 'word' },
  name: { field: 'name', as: 'text' },
  display_name: { field: 'name', as: 'text' },
  display_description: { field: 'description', as: 'text' },
  status: { field: 'status', as: 'word' },
  volume_id: { field: 'volumeId', as: 'word' },
  snapshot_id: { field: 'snapshotId', as: 'word' },
  parent_id: { field: 'parentId', as: 'word' },
  size: { field: 'sizeGiB', as: 'integer' },
  object_count: { field: 'objectCount', as: 'integer' },
  container: { field: 'container', as: 'text' },
  availability_zone: { field: 'availabilityZone', as: 'word' },
  host: { field: 'host', as: 'word' },
  service: { field: 'service', as: 'word' },
  restore_volume_id: { field: 'restoreVolumeId', as: 'word' },
  encryption_key_id: { field: 'encryptionKeyId', as: 'word' },
  project_id: { field: 'projectId', as: 'word' },
  user_id: { field: 'userId', as: 'word' },
  metadata: { field: 'metadata', as: 'entries' },
  data_timestamp: { field: 'dataTimestamp', as: 'time' },
  created_at: { field: 'createdAt', as: 'time' },
  updated_at: { field: 'updatedAt', as: 'time' },
};

const SORT_KEYS: Readonly<Record<string, BackupField>> = {
  id: 'id',
  display_name: 'name',
  status: 'status',
  size: 'sizeGiB',
  volume_id: 'volumeId',
  container: 'container',
  availability_zone: 'availabilityZone',
  project_id: 'projectId',
  user_id: 'userId',
  data_timestamp: 'dataTimestamp',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
};
const SORT_KEYS_WITH_NAME = { ...SORT_KEYS, name: 'name' } as const;

/** `path` is that of the route, for the link to the next page. */
export async function pageOfBackups(
  call: ApiCall,
  path: string,
  show: (backups: readonly Backup[]) => Promise<readonly object[]> | readonly object[],
): Promise<object> {
  const { db } = call.desk;
  const page = pageOf(call, call.version >= BACKUP_SORT_BY_NAME ? SORT_KEYS_WITH_NAME : SORT_KEYS);
  const filters = wanted(call);
  const found = filters === undefined || page.limit === 0 ? [] : await listBackups(db, { ...page, filters });
  const links = nextLinks(call, path, page, { length: found.length, last: found.at(-1)?.id });
  return {
    backups: await show(found),
    ...(links.length > 0 && { backups_links: links }),
    ...(wantsCount(call) && { count: filters === undefined ? 0 : await countBackups(db, filters) }),
  };
}

/** The rows a query names; undefined when it can name none. */
function wanted(call: ApiCall): readonly ListFilter<BackupField>[] | undefined {
  const filters = filtersOf(call, 'backup', BACKUP_FILTERS);
  const projectId = projectShown(call);
  if (filters === undefined || projectId === undefined) return filters;
  return [...filters, { is: 'equal', field: 'projectId', value: projectId }];
}
