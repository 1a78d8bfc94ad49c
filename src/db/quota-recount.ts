/** What the usage of a project must be, counted from its rows; and the counters put right where they are not. */
import { sql } from 'kysely';
import { quotaUsage, type Usage } from './quotas.ts';
import type { Db } from './sql/db.ts';
import type { Tx } from './sql/tx.ts';

export interface RecountOptions {
  /** Whether snapshots count as gigabytes (`no_snapshot_gb_quota` turns it off). */
  readonly snapshotGigabytes: boolean;
}

/** What the project's rows and reservations add up to. `quotaUsage` must equal it, but for resources that are zero. */
export async function countUsage(db: Db, projectId: string, options: RecountOptions): Promise<Record<string, Usage>> {
  const volumes = await db
    .selectFrom('volume')
    .innerJoin('volume_type', 'volume_type.id', 'volume.volume_type_id')
    .select(({ fn }) => ['volume_type.name', fn.countAll<number>().as('count'), fn.sum<number>('size_gib').as('gib')])
    .where('project_id', '=', projectId)
    .where('use_quota', '=', 1)
    .groupBy('volume_type.name')
    .execute();
  const snapshots = await db
    .selectFrom('snapshot')
    .innerJoin('volume_type', 'volume_type.id', 'snapshot.volume_type_id')
    .select(({ fn }) => [
      'volume_type.name',
      fn.countAll<number>().as('count'),
      fn.sum<number>('volume_size_gib').as('gib'),
    ])
    .where('project_id', '=', projectId)
    .where('use_quota', '=', 1)
    .groupBy('volume_type.name')
    .execute();
  const groups = await db
    .selectFrom('volume_group')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('project_id', '=', projectId)
    .executeTakeFirstOrThrow();
  const backups = await db
    .selectFrom('backup')
    .select(({ fn }) => [fn.countAll<number>().as('count'), fn.sum<number | null>('size_gib').as('gib')])
    .where('project_id', '=', projectId)
    .executeTakeFirstOrThrow();
  const reservations = await db
    .selectFrom('reservation')
    .select(['resource', 'delta'])
    .where('project_id', '=', projectId)
    .where('delta', '>', 0)
    .execute();

  const usage: Record<string, { inUse: number; reserved: number }> = {};
  const of = (resource: string) => {
    usage[resource] ??= { inUse: 0, reserved: 0 };
    return usage[resource];
  };
  const use = (kind: string, type: string, amount: number): void => {
    of(kind).inUse += amount;
    of(`${kind}_${type}`).inUse += amount;
  };
  for (const { name, count, gib } of volumes) {
    use('volumes', name, count);
    use('gigabytes', name, gib);
  }
  for (const { name, count, gib } of snapshots) {
    use('snapshots', name, count);
    if (options.snapshotGigabytes) use('gigabytes', name, gib);
  }
  if (groups.count > 0) of('groups').inUse += groups.count;
  if (backups.count > 0) {
    of('backups').inUse += backups.count;
    of('backup_gigabytes').inUse += backups.gib ?? 0;
  }
  for (const { resource, delta } of reservations) of(resource).reserved += delta;
  return usage;
}

/** Of all projects at once, for a database that nobody serves: counters that are wrong are put right, and those of nothing removed. */
export async function recountAllUsage({ db }: Tx, { snapshotGigabytes }: RecountOptions): Promise<void> {
  const typed = sql`JOIN volume_type ON volume_type.id = volume_type_id WHERE use_quota = 1 GROUP BY project_id, volume_type.name`;
  // Each table is read once for all of its resources.
  const each = sql`
    volumes AS MATERIALIZED (SELECT project_id, volume_type.name AS type, count(*) AS n, sum(size_gib) AS gib FROM volume ${typed}),
    snapshots AS MATERIALIZED (
      SELECT project_id, volume_type.name AS type, count(*) AS n, sum(volume_size_gib) AS gib FROM snapshot ${typed}),
    backups AS MATERIALIZED (SELECT project_id, count(*) AS n, sum(size_gib) AS gib FROM backup GROUP BY project_id)`;
  const ofEach = (rows: string, kind: string, amount: string) => sql`
    SELECT project_id, ${sql.lit(kind)} AS resource, ${sql.ref(amount)} AS n FROM ${sql.table(rows)}
    UNION ALL SELECT project_id, ${sql.lit(`${kind}_`)} || type, ${sql.ref(amount)} FROM ${sql.table(rows)}`;
  const parts = [
    ofEach('volumes', 'volumes', 'n'),
    ofEach('volumes', 'gigabytes', 'gib'),
    ofEach('snapshots', 'snapshots', 'n'),
    ...(snapshotGigabytes ? [ofEach('snapshots', 'gigabytes', 'gib')] : []),
    sql`SELECT project_id, 'groups' AS resource, count(*) AS n FROM volume_group GROUP BY project_id`,
    sql`SELECT project_id, 'backups' AS resource, n FROM backups`,
    sql`SELECT project_id, 'backup_gigabytes' AS resource, gib AS n FROM backups`,
  ];
  const counted = sql`
    WITH ${each} SELECT project_id, resource, CAST(sum(n) AS ${sql.raw(isSqlite(db) ? 'INTEGER' : 'bigint')}) AS in_use
    FROM (${sql.join(parts, sql` UNION ALL `)}) AS parts GROUP BY project_id, resource`;
  await sql`DELETE FROM quota_usage WHERE (project_id, resource) NOT IN (
    SELECT project_id, resource FROM (${counted}) AS counted)`.execute(db);
  await sql`
    INSERT INTO quota_usage (project_id, resource, in_use, reserved)
    SELECT project_id, resource, in_use, 0 FROM (${counted}) AS counted WHERE 1 = 1
    ON CONFLICT (project_id, resource) DO UPDATE SET in_use = excluded.in_use, reserved = 0
    WHERE quota_usage.in_use <> excluded.in_use OR quota_usage.reserved <> 0`.execute(db);
}

const isSqlite = ({ direct }: Db): boolean => direct.dialect === 'sqlite';

/** Makes the counters what the rows say. Returns what was wrong, for people. */
export async function recountUsage(
  { db }: Tx,
  projectId: string,
  options: RecountOptions,
): Promise<Record<string, { readonly was: Usage; readonly is: Usage }>> {
  const counted = await countUsage(db, projectId, options);
  const kept = await quotaUsage(db, projectId);
  const none: Usage = { inUse: 0, reserved: 0 };
  const wrong: Record<string, { was: Usage; is: Usage }> = {};
  for (const resource of new Set([...Object.keys(kept), ...Object.keys(counted)])) {
    const was = kept[resource] ?? none;
    const is = counted[resource] ?? none;
    if (was.inUse === is.inUse && was.reserved === is.reserved) continue;
    wrong[resource] = { was, is };
    await db
      .insertInto('quota_usage')
      .values({ project_id: projectId, resource, in_use: is.inUse, reserved: is.reserved })
      .onConflict((conflict) =>
        conflict.columns(['project_id', 'resource']).doUpdateSet({ in_use: is.inUse, reserved: is.reserved }),
      )
      .execute();
  }
  return wrong;
}
