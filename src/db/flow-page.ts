/**
 * Pages of flows, newest first, however many have ended.
 *
 * Each order is one that an index has: of failed flows that of their ends, of a resource's and of those in flight that of their
 * beginnings, else that of ids, which grow with time. What no index serves (all of a name, all of a project that succeeded) may pass
 * over any number of flows before a page is full, and is asked where it holds up nobody (`Readers.search`).
 */
import { sql } from 'kysely';
import type { FlowRow, FlowState } from '../engine/journal.ts';
import { flowRow } from './journal-rows.ts';
import type { Readers } from './sql/db.ts';

export interface FlowPageQuery {
  readonly unended?: boolean;
  readonly state?: FlowState;
  readonly name?: string;
  /** `volume:<id>`: of any of these. */
  readonly resources?: readonly string[];
  readonly projectId?: string;
  readonly limit: number;
  /** The last of the page before. */
  readonly after?: Pick<FlowRow, 'id' | 'createdAt' | 'endedAt'>;
}

const ENDED: ReadonlySet<FlowState> = new Set(['success', 'reverted']);

export async function flowPage(readers: Readers, query: FlowPageQuery): Promise<FlowRow[]> {
  const { unended = false, state, name, resources, projectId, limit, after } = query;
  const inFlight = unended || (state !== undefined && !ENDED.has(state));
  const failed = state === 'reverted' && resources === undefined && !inFlight;
  const served = inFlight || resources !== undefined || (name === undefined && (failed || state === undefined));
  const order = failed ? 'ended_at' : inFlight || resources !== undefined ? 'created_at' : null;
  const rows = await (served ? readers.read : readers.search)
    .selectFrom('flow')
    .selectAll()
    .$if(inFlight, (flows) => flows.where('ended_at', 'is', null))
    // As it stands in the indexes of failed flows.
    .$if(state !== undefined, (flows) => flows.where('state', '=', sql.lit(state as FlowState)))
    .$if(name !== undefined, (flows) => flows.where('name', '=', name as string))
    .$if(resources !== undefined, (flows) => flows.where('resource', 'in', resources as readonly string[]))
    .$if(projectId !== undefined, (flows) => flows.where(isOfProject(projectId as string, inFlight)))
    .$if(after !== undefined, (flows) => flows.where(isAfter(order, after as NonNullable<typeof after>)))
    .$if(order !== null, (flows) => flows.orderBy(order as NonNullable<typeof order>, 'desc'))
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return rows.map(flowRow);
}

/** Where few are left anyhow SQLite would rather go through all that a project ever had, as an index has them; what is reckoned has none. */
export const isOfProject = (projectId: string, few: boolean) =>
  few ? sql<boolean>`project_id || '' = ${projectId}` : sql<boolean>`project_id = ${projectId}`;

function isAfter(
  order: 'ended_at' | 'created_at' | null,
  { id, createdAt, endedAt }: NonNullable<FlowPageQuery['after']>,
) {
  if (order === null) return sql<boolean>`id < ${id}`;
  // One that is in flight is no last of a page of failed ones: nothing comes after it.
  return sql<boolean>`(${sql.ref(order)}, id) < (${order === 'ended_at' ? (endedAt ?? '') : createdAt}, ${id})`;
}
