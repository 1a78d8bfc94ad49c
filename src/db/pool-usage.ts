/**
 * Usage of pools: the GiB and volumes placed on each, counted in the transactions that place volumes and take them away.
 */
import { sql } from 'kysely';
import type { Db } from './sql/db.ts';
import type { Tables } from './sql/schema.ts';
import type { Tx } from './sql/writer.ts';

export interface PoolUsage {
  /** `node@backend#pool` */
  readonly pool: string;
  /** Sum of the sizes of its volumes. */
  readonly allocatedGiB: number;
  /** Allocated plus what snapshots promise. */
  readonly provisionedGiB: number;
  readonly volumes: number;
}

/** Negative amounts take away. */
export async function addPoolUsage({ db }: Tx, delta: PoolUsage): Promise<void> {
  await db
    .insertInto('pool_usage')
    .values(toRow(delta))
    .onConflict((conflict) =>
      conflict.column('pool').doUpdateSet((eb) => ({
        allocated_gib: eb('pool_usage.allocated_gib', '+', eb.ref('excluded.allocated_gib')),
        provisioned_gib: eb('pool_usage.provisioned_gib', '+', eb.ref('excluded.provisioned_gib')),
        volumes: eb('pool_usage.volumes', '+', eb.ref('excluded.volumes')),
      })),
    )
    .execute();
}

export async function listPoolUsage(db: Db): Promise<PoolUsage[]> {
  const rows = await db.selectFrom('pool_usage').selectAll().orderBy('pool').execute();
  return rows.map((row) => ({
    pool: row.pool,
    allocatedGiB: row.allocated_gib,
    provisionedGiB: row.provisioned_gib,
    volumes: row.volumes,
  }));
}

/** What the rows add up to; pools without volumes are absent. */
export async function countPoolUsage(db: Db): Promise<PoolUsage[]> {
  const { rows } = await sql<PoolUsage>`
    SELECT host AS "pool", sum(size_gib) AS "allocatedGiB", sum(size_gib + promised) AS "provisionedGiB", count(*) AS "volumes"
    FROM (SELECT volume.host, volume.size_gib,
                 coalesce((SELECT sum(volume_size_gib) FROM snapshot WHERE snapshot.volume_id = volume.id), 0) AS promised
          FROM volume WHERE volume.host IS NOT NULL) AS placed
    GROUP BY host ORDER BY host`.execute(db);
  return rows.map((row) => ({ ...row }));
}

/** Makes the counters what the rows say. */
export async function recountPoolUsage({ db }: Tx): Promise<void> {
  const counted = await countPoolUsage(db);
  await db.deleteFrom('pool_usage').execute();
  if (counted.length > 0) await db.insertInto('pool_usage').values(counted.map(toRow)).execute();
}

function toRow({ pool, allocatedGiB, provisionedGiB, volumes }: PoolUsage): Tables['pool_usage'] {
  return { pool, allocated_gib: allocatedGiB, provisioned_gib: provisionedGiB, volumes };
}
