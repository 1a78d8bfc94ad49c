/**
 * What the OpenStack exporter asks of all projects at once. These read through every volume, or an index of them: ask by
 * `search`, which on SQLite is a thread of its own.
 */
import type { VolumeStatus } from '../model/status.ts';
import type { Queries } from './sql/db.ts';

export async function countVolumesByStatus(db: Queries): Promise<ReadonlyMap<VolumeStatus, number>> {
  const rows = await db
    .selectFrom('volume')
    .select(({ fn }) => ['status', fn.countAll<number>().as('volumes')])
    .groupBy('status')
    .execute();
  return new Map(rows.map(({ status, volumes }) => [status as VolumeStatus, Number(volumes)]));
}

export async function countSnapshots(db: Queries): Promise<number> {
  const row = await db
    .selectFrom('snapshot')
    .select(({ fn }) => fn.countAll<number>().as('snapshots'))
    .executeTakeFirst();
  return Number(row?.snapshots ?? 0);
}

export interface ExportedVolume {
  readonly id: string;
  readonly name: string;
  readonly status: VolumeStatus;
  readonly zone: string;
  readonly isBootable: boolean;
  readonly projectId: string;
  readonly userId: string | null;
  readonly sizeGiB: number;
  readonly type: string;
  /** The server that it is attached to, or the first of several; empty when there is none. */
  readonly serverId: string;
}

export async function exportedVolumes(
  db: Queries,
  statuses: readonly VolumeStatus[],
): Promise<readonly ExportedVolume[]> {
  const rows = await db
    .selectFrom('volume')
    .innerJoin('volume_type', 'volume_type.id', 'volume.volume_type_id')
    .select(({ selectFrom }) => [
      'volume.id',
      'volume.name',
      'volume.status',
      'volume.availability_zone',
      'volume.bootable',
      'volume.project_id',
      'volume.user_id',
      'volume.size_gib',
      'volume_type.name as type',
      selectFrom('volume_attachment')
        .select(({ fn }) => fn.min('instance_uuid').as('server'))
        .whereRef('volume_attachment.volume_id', '=', 'volume.id')
        .as('server'),
    ])
    .where('volume.status', 'in', statuses)
    .orderBy('volume.id')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name ?? '',
    status: row.status as VolumeStatus,
    zone: row.availability_zone ?? '',
    isBootable: row.bootable === 1,
    projectId: row.project_id,
    userId: row.user_id,
    sizeGiB: row.size_gib,
    type: row.type,
    serverId: row.server ?? '',
  }));
}

export interface ProjectAmount {
  readonly projectId: string;
  readonly resource: string;
  readonly inUse: number;
  /** Of the project's own; null when it has none. */
  readonly limit: number | null;
}

/** Of each project that has ever counted anything. */
export async function amountsOfProjects(db: Queries): Promise<readonly ProjectAmount[]> {
  const rows = await db
    .selectFrom('quota_usage')
    .leftJoin('quota_limit', (join) =>
      join
        .onRef('quota_limit.project_id', '=', 'quota_usage.project_id')
        .onRef('quota_limit.resource', '=', 'quota_usage.resource'),
    )
    .select(['quota_usage.project_id', 'quota_usage.resource', 'quota_usage.in_use', 'quota_limit.hard_limit'])
    .orderBy('quota_usage.project_id')
    .execute();
  return rows.map((row) => ({
    projectId: row.project_id,
    resource: row.resource,
    inUse: row.in_use,
    limit: row.hard_limit,
  }));
}
