/**
 * Whether a Cinder is at rest: nothing that its services would go on with, and nobody who writes. What lies in a queue of its broker is a
 * transient status in the database, so that is looked for.
 */
import type { CinderDatabase } from '../cinder/cinder-database.ts';
import type { CinderTable } from '../cinder/cinder-tables.ts';

export interface Unrest {
  readonly resource: string;
  readonly id: string;
  readonly saw: string;
}

/** In these somebody is at work, or a message waits for who would be. */
const TRANSIENT: { readonly [Table in CinderTable]?: ReadonlySet<string> } = {
  volumes: new Set([
    ...[
      'creating',
      'deleting',
      'extending',
      'downloading',
      'uploading',
      'retyping',
      'reverting',
      'managing',
      'unmanaging',
    ],
    ...['attaching', 'detaching', 'maintenance', 'backing-up', 'restoring-backup'],
  ]),
  snapshots: new Set(['creating', 'deleting', 'updating', 'backing-up', 'restoring', 'unmanaging']),
  backups: new Set(['creating', 'deleting', 'restoring']),
  groups: new Set(['creating', 'deleting', 'updating']),
  group_snapshots: new Set(['creating', 'deleting', 'updating']),
};
const MOVING: ReadonlySet<string> = new Set(['starting', 'migrating', 'completing']);

export async function unrestOf(cinder: CinderDatabase): Promise<readonly Unrest[]> {
  const found: Unrest[] = [];
  for (const [table, statuses] of Object.entries(TRANSIENT) as [keyof typeof TRANSIENT & 'volumes', Set<string>][]) {
    const resource = table.slice(0, -1);
    for (const status of statuses)
      for (const row of await cinder.among(table, 'status', [status]))
        found.push({ resource, id: row.id, saw: `is ${row.status}` });
  }
  for (const status of MOVING)
    for (const { id, migration_status } of await cinder.among('volumes', 'migration_status', [status]))
      found.push({ resource: 'volume', id, saw: `is being migrated (${migration_status})` });
  for await (const rows of cinder.living('workers'))
    for (const { resource_type, resource_id, status } of rows)
      if (resource_type !== 'SENTINEL')
        found.push({
          resource: resource_type.toLowerCase(),
          id: resource_id,
          saw: `is in the table workers (${status})`,
        });
  return found;
}
