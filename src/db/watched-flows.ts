/** Flows for those who watch: what moves while they run, and what has ended. */
import type { Selectable } from 'kysely';
import type { Queries } from './sql/db.ts';
import type { FlowTable } from './sql/schema.ts';

/** As it stands in the table: `journal-rows.ts` reads it. */
export type WatchedFlow = Selectable<FlowTable>;

/** The newest of those that have not ended. */
export const unendedFlowsWatched = (db: Queries, limit: number): Promise<WatchedFlow[]> =>
  db.selectFrom('flow').selectAll().where('ended_at', 'is', null).orderBy('created_at', 'desc').limit(limit).execute();

export const flowsWatched = (db: Queries, ids: readonly string[]): Promise<WatchedFlow[]> =>
  db.selectFrom('flow').selectAll().where('id', 'in', ids).execute();

/** Those that ended after a time, the first first. */
export const flowsEndedAfter = (db: Queries, at: string, limit: number): Promise<WatchedFlow[]> =>
  db
    .selectFrom('flow')
    .selectAll()
    .where('ended_at', 'is not', null)
    .where('ended_at', '>', at)
    .orderBy('ended_at')
    .limit(limit)
    .execute();
