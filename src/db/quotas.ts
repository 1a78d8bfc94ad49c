/**
 * Quotas of a project: limits, usage, and reservations of its flows.
 *
 * Usage is counted in the transaction that makes or deletes the row it counts, so it always equals a recount. A
 * reservation is for a flow that learns its final size later: it belongs to the flow, counts against the limit at
 * once, and ends with the flow (committed or rolled back, each as often as one likes).
 *
 * Resources are text: `volumes`, `gigabytes`, `snapshots`, and for each volume type their twins, `volumes_<type>` ….
 * A limit below zero is none.
 */
import { uuid } from '../lib/clock.ts';
import { transposed } from './sql/by-hand.ts';
import type { Db } from './sql/db.ts';
import type { CachedTable } from './sql/transaction-cache.ts';
import type { Tx } from './sql/tx.ts';

/** Resource to number. */
export type Amounts = Readonly<Record<string, number>>;

export interface Usage {
  readonly inUse: number;
  readonly reserved: number;
}

export interface Shortage extends Usage {
  readonly resource: string;
  readonly limit: number;
  readonly requested: number;
}

/** The limit of at least one resource would be exceeded. The unit that asked must fail with it. */
export class QuotaExceeded extends Error {
  override readonly name = 'QuotaExceeded';
  readonly projectId: string;
  readonly shortages: readonly [Shortage, ...Shortage[]];
  constructor(projectId: string, shortages: readonly [Shortage, ...Shortage[]]) {
    super(`Quota exceeded for ${shortages.map(({ resource }) => resource).join(', ')}.`);
    this.projectId = projectId;
    this.shortages = shortages;
  }
}

/** What is counted for the project; a resource that never was is absent. */
export async function quotaUsage(db: Db, projectId: string): Promise<Record<string, Usage>> {
  const rows = await db
    .selectFrom('quota_usage')
    .select(['resource', 'in_use', 'reserved'])
    .where('project_id', '=', projectId)
    .execute();
  return Object.fromEntries(rows.map((row) => [row.resource, { inUse: row.in_use, reserved: row.reserved }]));
}

/** Ids of projects that have had something, in order of their names; at most `limit`. */
export async function projectsWithUsage(db: Db, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('quota_usage')
    .select('project_id')
    .distinct()
    .orderBy('project_id')
    .limit(limit)
    .execute();
  return rows.map(({ project_id: id }) => id);
}

/** Counts at once, or rejects with `QuotaExceeded`. Negative amounts give back and are never refused. */
export function takeQuota(tx: Tx, projectId: string, deltas: Amounts, limits: Amounts): Promise<void> {
  return add(tx, projectId, 'inUse', deltas, limits);
}

/** Counts without asking: for what must not be refused, such as a row that is gone. */
export function countQuota(tx: Tx, projectId: string, deltas: Amounts): Promise<void> {
  return add(tx, projectId, 'inUse', deltas, {});
}

/** A counter in the cache of the transaction, locked in the database. */
interface Counter extends Usage {
  readonly projectId: string;
  readonly resource: string;
}

const WRITE = 'UPDATE quota_usage SET in_use = ?, reserved = ? WHERE project_id = ? AND resource = ?';
const WRITE_ALL = `
  UPDATE quota_usage SET in_use = x.in_use, reserved = x.reserved
  FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS x (in_use, reserved, project_id, resource)
  WHERE quota_usage.project_id = x.project_id AND quota_usage.resource = x.resource`;

const counters: CachedTable<Counter> = {
  rank: 4,
  write: (connection, counted) => {
    const rows = counted.map(({ inUse, reserved, projectId, resource }) => [inUse, reserved, projectId, resource]);
    return connection.dialect === 'postgresql'
      ? [connection.execute(WRITE_ALL, transposed(rows))]
      : rows.map((row) => connection.execute(WRITE, row));
  },
  written: (counter) => counter,
};

const keyOf = (projectId: string, resource: string): string => `${projectId} ${resource}`;

async function add(
  { db }: Tx,
  projectId: string,
  column: 'inUse' | 'reserved',
  deltas: Amounts,
  limits: Amounts,
): Promise<void> {
  const asked = Object.entries(deltas)
    .filter(([, delta]) => delta !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const resources = asked.map(([resource]) => resource);
  const counter = (resource: string): Counter =>
    db.writeBehind.get(counters, keyOf(projectId, resource)) ?? { projectId, resource, inUse: 0, reserved: 0 };
  // Nothing is made for what is refused anyway.
  for (const made of [false, true]) {
    const missing = await lockCounters(db, projectId, resources, made);
    const [first, ...others] = asked
      .map(([resource, requested]) => ({ ...counter(resource), requested, limit: limits[resource] ?? -1 }))
      .filter(({ requested, limit, ...usage }) => requested > 0 && limit >= 0 && total(usage) + requested > limit)
      .map(({ resource, inUse, reserved, requested, limit }) => ({ resource, inUse, reserved, requested, limit }));
    if (first !== undefined) throw new QuotaExceeded(projectId, [first, ...others]);
    if (missing.length === 0) break;
  }
  for (const [resource, delta] of asked) {
    const before = counter(resource);
    db.writeBehind.putOff(counters, keyOf(projectId, resource), { ...before, [column]: before[column] + delta });
  }
}

const total = ({ inUse, reserved }: Usage): number => inUse + reserved;

const FIND = 'SELECT in_use, reserved FROM quota_usage WHERE project_id = ? AND resource = ?';
const MAKE =
  'INSERT INTO quota_usage (project_id, resource, in_use, reserved) VALUES (?, ?, 0, 0) ON CONFLICT DO NOTHING';
/** In one order, so that two transactions do not wait for each other crosswise. */
const LOCK_ALL = `
  SELECT resource, in_use, reserved FROM quota_usage WHERE project_id = $1 AND resource = ANY ($2::text[])
  ORDER BY resource FOR UPDATE`;
const MAKE_ALL = `
  INSERT INTO quota_usage (project_id, resource, in_use, reserved)
  SELECT $1, resource, 0, 0 FROM unnest($2::text[]) AS resource ORDER BY resource ON CONFLICT DO NOTHING`;

interface CounterRow {
  readonly resource: string;
  readonly in_use: number;
  readonly reserved: number;
}

/** Nobody else counts these before the transaction ends. Those that are not there are returned, or `made`. */
async function lockCounters(
  db: Db,
  projectId: string,
  resources: readonly string[],
  made: boolean,
): Promise<readonly string[]> {
  const { direct, writeBehind } = db;
  const isMissing = (resource: string): boolean => writeBehind.get(counters, keyOf(projectId, resource)) === undefined;
  const missing = resources.filter(isMissing);
  if (missing.length === 0) return missing;
  // What is made goes with its unit.
  if (made) await writeBehind.flush();
  let rows: readonly CounterRow[];
  if (direct.dialect === 'postgresql') {
    if (made) await direct.execute(MAKE_ALL, [projectId, missing]);
    rows = await direct.query<CounterRow>(LOCK_ALL, [projectId, missing]);
  } else {
    rows = missing.flatMap((resource) => {
      if (made) direct.statement(MAKE).run(projectId, resource);
      const row = direct.statement(FIND).get(projectId, resource) as CounterRow | undefined;
      return row === undefined ? [] : [{ ...row, resource }];
    });
  }
  for (const { resource, in_use: inUse, reserved } of rows)
    writeBehind.keep(counters, keyOf(projectId, resource), { projectId, resource, inUse, reserved });
  return missing.filter(isMissing);
}

/**
 * Promises amounts to a flow, or rejects with `QuotaExceeded`. What the flow has already reserved of a resource stays as it
 * is, so a repeated call changes nothing. Negative amounts count only when committed.
 */
export async function reserveQuota(
  tx: Tx,
  flowId: string,
  projectId: string,
  deltas: Amounts,
  limits: Amounts,
): Promise<void> {
  const rows = Object.entries(deltas)
    .filter(([, delta]) => delta !== 0)
    .map(([resource, delta]) => ({ id: uuid(), flow_id: flowId, project_id: projectId, resource, delta }));
  if (rows.length === 0) return;
  const made = await tx.db
    .insertInto('reservation')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing())
    .returning(['resource', 'delta'])
    .execute();
  const promised = made.filter(({ delta }) => delta > 0).map(({ resource, delta }) => [resource, delta]);
  await add(tx, projectId, 'reserved', Object.fromEntries(promised), limits);
}

/** What the flow reserved is in use from now on. Without reservations it does nothing. */
export async function commitReservations(tx: Tx, flowId: string): Promise<void> {
  for (const { project_id, resource, delta } of await endReservations(tx, flowId)) {
    await add(tx, project_id, 'inUse', { [resource]: delta }, {});
  }
}

/** What the flow reserved is free again. Without reservations it does nothing. */
export async function rollbackReservations(tx: Tx, flowId: string): Promise<void> {
  await endReservations(tx, flowId);
}

async function endReservations(tx: Tx, flowId: string) {
  const ended = await tx.db
    .deleteFrom('reservation')
    .where('flow_id', '=', flowId)
    .returning(['project_id', 'resource', 'delta'])
    .execute();
  ended.sort((a, b) => (a.resource < b.resource ? -1 : 1));
  for (const { project_id, resource, delta } of ended) {
    if (delta > 0) await add(tx, project_id, 'reserved', { [resource]: -delta }, {});
  }
  return ended;
}

/** What is kept of each of these projects. */
export async function usageOfProjects(
  db: Db,
  projectIds: readonly string[],
): Promise<readonly { readonly projectId: string; readonly resource: string; readonly inUse: number }[]> {
  return db
    .selectFrom('quota_usage')
    .select(['project_id as projectId', 'resource', 'in_use as inUse'])
    .where('project_id', 'in', projectIds)
    .execute();
}
