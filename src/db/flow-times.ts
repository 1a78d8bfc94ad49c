/** How long flows have taken and take, for those who compare. */
import type { Timestamp } from '../lib/clock.ts';
import type { Db } from './sql/db.ts';

export interface EndedFlow {
  readonly name: string;
  readonly state: string;
  readonly createdAt: Timestamp;
  readonly endedAt: Timestamp;
}

/** The newest first, along the index of what has ended. */
export async function newestEnded(db: Db, limit: number): Promise<readonly EndedFlow[]> {
  const rows = await db
    .selectFrom('flow')
    .select(['name', 'state', 'created_at', 'ended_at'])
    .where('ended_at', 'is not', null)
    .orderBy('ended_at', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    name: row.name,
    state: row.state,
    createdAt: row.created_at,
    endedAt: row.ended_at ?? row.created_at,
  }));
}

export interface OldFlow {
  readonly id: string;
  readonly name: string;
  readonly resource: string;
  readonly state: string;
  readonly createdAt: Timestamp;
}

/** Flows that have not ended and began before, the oldest first. A stuck one that an operator has just wished on is not `stuck`. */
export async function oldFlows(db: Db, before: Timestamp, limit: number): Promise<readonly OldFlow[]> {
  const rows = await db
    .selectFrom('flow')
    .select(['id', 'name', 'resource', 'state', 'created_at', 'wish'])
    .where('ended_at', 'is', null)
    .where(({ or, eb }) => or([eb('created_at', '<', before), eb('state', '=', 'stuck')]))
    .orderBy('created_at')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    resource: row.resource,
    state: row.state === 'stuck' && row.wish !== null ? 'reverting' : row.state,
    createdAt: row.created_at,
  }));
}
