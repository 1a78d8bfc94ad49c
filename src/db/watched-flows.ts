/** Flows for those who watch: what moves while they run, and what has ended. */
import type { Queries } from './sql/db.ts';

export interface WatchedFlow {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly resource: string;
  readonly project_id: string;
  readonly request_id: string;
  readonly seq: number;
  /** JSON, as the engine wrote it. */
  readonly doing: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  readonly ended_at: string | null;
}

const select = (db: Queries) =>
  db
    .selectFrom('flow')
    .select(['id', 'name', 'state', 'resource', 'project_id', 'request_id', 'seq', 'doing'])
    .select(['created_at', 'updated_at', 'ended_at']);

/** The newest of those that have not ended. */
export const unendedFlowsWatched = (db: Queries, limit: number): Promise<WatchedFlow[]> =>
  select(db).where('ended_at', 'is', null).orderBy('created_at', 'desc').limit(limit).execute();

export const flowsWatched = (db: Queries, ids: readonly string[]): Promise<WatchedFlow[]> =>
  select(db).where('id', 'in', ids).execute();

/** Those that ended after a time, the first first. */
export const flowsEndedAfter = (db: Queries, at: string, limit: number): Promise<WatchedFlow[]> =>
  select(db).where('ended_at', 'is not', null).where('ended_at', '>', at).orderBy('ended_at').limit(limit).execute();
