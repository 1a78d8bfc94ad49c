/** A backup of Cinder's as one of ours. Its data stays where it is; what reads it there goes by the driver that made it. */
import { cinderStoreKind } from '../../model/cinder-backup.ts';
import type { CinderRows } from '../cinder/cinder-tables.ts';
import { madeAt } from './made-at.ts';
import type { MapSettings } from './map-settings.ts';
import { settledBackupStatus } from './settled-status.ts';
import { valuesText } from './values-of.ts';
import { FoundInRow, type ImportedRow, type ImportRefusal } from './verdict.ts';

export interface CinderBackupRow {
  readonly row: CinderRows['backups'];
  readonly metadata: readonly CinderRows['backup_metadata'][];
}

export function mapBackup(
  { row, metadata }: CinderBackupRow,
  { now }: Pick<MapSettings, 'now'>,
):
  | { readonly row: ImportedRow<'backup'>; readonly findings: FoundInRow['findings'] }
  | { readonly refused: ImportRefusal } {
  const found = new FoundInRow('backup', row.id);
  if (row.project_id === null)
    return found.refused('project-missing', 'has no project', 'set its project_id in the Cinder database');
  const status = settledBackupStatus(row.status, found);
  if (status === undefined)
    return found.refused(
      'status-unknown',
      `has the status ${JSON.stringify(row.status)}, which no release of Cinder gives`,
      'give it one that is true with `openstack volume backup set --state`',
    );
  if (status === 'available' && cinderStoreKind(row.service) === undefined)
    found.add(
      'backup-driver',
      `was made by ${row.service ?? 'a driver that it does not name'}, whose backups cannot be read here`,
      'it comes in, and cannot be restored; keep a Cinder for it, or back the volume up again',
    );
  if (row.size === null) found.add('size-missing', 'has no size', 'it comes in with 0 GiB');
  for (const [kind, left] of [
    ['volume', row.temp_volume_id],
    ['snapshot', row.temp_snapshot_id],
  ] as const)
    if (left !== null)
      found.add(
        'left-by-backup',
        `left a temporary ${kind}, ${left}`,
        `that comes in as what it is; delete it when nobody uses it`,
      );
  return {
    row: {
      id: row.id,
      project_id: row.project_id,
      user_id: row.user_id,
      volume_id: row.volume_id,
      snapshot_id: row.snapshot_id,
      parent_id: row.parent_id,
      name: row.display_name,
      description: row.display_description,
      status,
      fail_reason: row.fail_reason,
      size_gib: row.size ?? 0,
      container: row.container,
      availability_zone: row.availability_zone,
      host: row.host,
      service: row.service,
      service_metadata: row.service_metadata,
      object_count: row.object_count ?? 0,
      data_timestamp: row.data_timestamp,
      restore_volume_id: row.restore_volume_id,
      encryption_key_id: row.encryption_key_id,
      metadata: valuesText(metadata, 'metadata key', found),
      created_at: madeAt(row.created_at, [row.data_timestamp, row.updated_at], now, found),
      updated_at: row.updated_at,
      scope_id: null,
      epoch: 0,
      image_metadata: null,
      schedule_id: null,
    },
    findings: found.findings,
  };
}
