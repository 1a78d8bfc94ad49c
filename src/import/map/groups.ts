/** Groups of volumes and snapshots of groups, of Cinder's as ours. */
import type { CinderRows } from '../cinder/cinder-tables.ts';
import { mappedHost, placeOfRow } from './host-map.ts';
import { madeAt } from './made-at.ts';
import type { MapWorld } from './map-world.ts';
import { settledGroupSnapshotStatus, settledGroupStatus } from './settled-status.ts';
import { FoundInRow, type ImportedRow, type ImportRefusal } from './verdict.ts';

type Mapped<Row> =
  | { readonly row: Row; readonly findings: FoundInRow['findings'] }
  | { readonly refused: ImportRefusal };

export type CinderGroup = {
  readonly row: CinderRows['groups'];
  readonly typeIds: readonly string[];
};

const WRONG_STATUS = 'give it one that is true with `cinder group-reset-status` or `group-snapshot-reset-status`';

/** Why its row cannot come in, by the row alone. What hangs on it asks so, too. */
export function refusalOfGroup(
  row: CinderRows['groups'],
  { settings, groupTypes }: MapWorld,
): ImportRefusal | undefined {
  const found = new FoundInRow('group', row.id);
  const place = placeOfRow(row);
  if (row.project_id === null)
    return found.refused('project-missing', 'has no project', 'set its project_id in the Cinder database').refused;
  if (row.group_type_id === null || !groupTypes.has(row.group_type_id))
    return found.refused(
      'type-missing',
      `is of group type ${row.group_type_id}, which was never there`,
      'set its group_type_id in the Cinder database',
    ).refused;
  if (settledGroupStatus(row.status, new FoundInRow('group', row.id)) === undefined)
    return found.refused('status-unknown', `has the status ${JSON.stringify(row.status)}`, WRONG_STATUS).refused;
  if (place !== null && mappedHost(settings.hosts, place) === undefined)
    return found.refused(
      'host-unmapped',
      `is on ${place}, which is no backend here`,
      'say which backend that is',
      '--map-host',
    ).refused;
  return undefined;
}

export function mapGroup({ row, typeIds }: CinderGroup, world: MapWorld): Mapped<ImportedRow<'volume_group'>> {
  const refused = refusalOfGroup(row, world);
  if (refused !== undefined) return { refused };
  const found = new FoundInRow('group', row.id);
  const place = placeOfRow(row);
  const gone = typeIds.filter((id) => !world.types.has(id));
  if (gone.length > 0)
    found.add(
      'type-missing',
      `is for volumes of types ${gone.join(', ')}, which were deleted`,
      'it comes in without these',
    );
  return {
    row: {
      id: row.id,
      project_id: row.project_id as string,
      user_id: row.user_id,
      name: row.name,
      description: row.description,
      status: settledGroupStatus(row.status, found) as string,
      host: place === null ? null : (mappedHost(world.settings.hosts, place) as string),
      availability_zone: row.availability_zone,
      group_type_id: row.group_type_id as string,
      volume_type_ids: JSON.stringify([...new Set(typeIds.filter((id) => world.types.has(id)))]),
      group_snapshot_id: row.group_snapshot_id,
      source_group_id: row.source_group_id,
      replication_status: row.replication_status,
      created_at: madeAt(row.created_at, [row.updated_at], world.settings.now, found),
      updated_at: row.updated_at,
    },
    findings: found.findings,
  };
}

export interface CinderGroupSnapshot {
  readonly row: CinderRows['group_snapshots'];
  /** Undefined: it is deleted, or was never there. */
  readonly group: CinderRows['groups'] | undefined;
}

export function mapGroupSnapshot(
  { row, group }: CinderGroupSnapshot,
  world: MapWorld,
): Mapped<ImportedRow<'group_snapshot'>> {
  const found = new FoundInRow('group_snapshot', row.id);
  if (group === undefined)
    return found.refused(
      'group-missing',
      `is of group ${row.group_id}, which does not live`,
      'delete it with its snapshots, or set its group_id in the Cinder database',
    );
  if (refusalOfGroup(group, world) !== undefined)
    return found.refused(
      'group-refused',
      `is of group ${row.group_id}, which cannot come in`,
      'settle what is said of the group',
    );
  const status = settledGroupSnapshotStatus(row.status, found);
  if (status === undefined)
    return found.refused('status-unknown', `has the status ${JSON.stringify(row.status)}`, WRONG_STATUS);
  return {
    row: {
      id: row.id,
      project_id: row.project_id ?? (group.project_id as string),
      user_id: row.user_id,
      name: row.name,
      description: row.description,
      status,
      group_id: row.group_id,
      group_type_id: group.group_type_id as string,
      created_at: madeAt(row.created_at, [row.updated_at], world.settings.now, found),
      updated_at: row.updated_at,
    },
    findings: found.findings,
  };
}
