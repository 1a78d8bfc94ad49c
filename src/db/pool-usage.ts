/**
 * Usage of pools: the GiB and volumes placed on each, counted in the transactions that place volumes and take them away.
 */
import { sql } from 'kysely';
import { transposed } from './sql/by-hand.ts';
import type { Db } from './sql/db.ts';
import type { Tables } from './sql/schema.ts';
import type { CachedTable } from './sql/transaction-cache.ts';
import type { Tx } from './sql/tx.ts';

export interface PoolUsage {
  /** `node@backend#pool` */
  readonly pool: string;
  /** Sum of the sizes of its volumes. */
  readonly allocatedGiB: number;
  /** Allocated plus what snapshots promise. */
  readonly provisionedGiB: number;
  readonly volumes: number;
}

const count = (values: string): string => `
  INSERT INTO pool_usage (pool, allocated_gib, provisioned_gib, volumes) ${values}
  ON CONFLICT (pool) DO UPDATE SET allocated_gib = pool_usage.allocated_gib + excluded.allocated_gib,
    provisioned_gib = pool_usage.provisioned_gib + excluded.provisioned_gib, volumes = pool_usage.volumes + excluded.volumes`;
const COUNT = count('VALUES (?, ?, ?, ?)');
const COUNT_ALL = count('SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])');

/** What is counted on each pool, and not written yet. */
const counted: CachedTable<PoolUsage> = {
  rank: 5,
  write: (connection, deltas) => {
    // In one order, so that two transactions do not wait for each other crosswise.
    const rows = deltas
      .toSorted((a, b) => (a.pool < b.pool ? -1 : 1))
      .map(({ pool, allocatedGiB, provisionedGiB, volumes }) => [pool, allocatedGiB, provisionedGiB, volumes]);
    return connection.dialect === 'postgresql'
      ? [connection.execute(COUNT_ALL, transposed(rows))]
      : rows.map((row) => connection.execute(COUNT, row));
  },
  written: () => undefined,
  since: (delta, written) => sum(delta, times(written, -1)),
};

/** Negative amounts take away. */
export async function addPoolUsage({ db: { writeBehind } }: Tx, delta: PoolUsage): Promise<void> {
  const before = writeBehind.get(counted, delta.pool);
  writeBehind.putOff(counted, delta.pool, before === undefined ? delta : sum(before, delta));
}

export async function listPoolUsage(db: Db): Promise<readonly PoolUsage[]> {
  const written = await db.once('pool usage', async (past) => {
    const rows = await past.selectFrom('pool_usage').selectAll().orderBy('pool').execute();
    return rows.map(
      (row): PoolUsage => ({
        pool: row.pool,
        allocatedGiB: row.allocated_gib,
        provisionedGiB: row.provisioned_gib,
        volumes: row.volumes,
      }),
    );
  });
  const all = new Map(written.map((each) => [each.pool, each]));
  for (const delta of db.cache?.all(counted) ?? []) {
    const before = all.get(delta.pool);
    all.set(delta.pool, before === undefined ? delta : sum(before, delta));
  }
  return [...all.values()].sort((a, b) => (a.pool < b.pool ? -1 : 1));
}

const times = ({ pool, allocatedGiB, provisionedGiB, volumes }: PoolUsage, factor: number): PoolUsage => ({
  pool,
  allocatedGiB: allocatedGiB * factor,
  provisionedGiB: provisionedGiB * factor,
  volumes: volumes * factor,
});

const sum = (a: PoolUsage, b: PoolUsage): PoolUsage => ({
  pool: a.pool,
  allocatedGiB: a.allocatedGiB + b.allocatedGiB,
  provisionedGiB: a.provisionedGiB + b.provisionedGiB,
  volumes: a.volumes + b.volumes,
});

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
