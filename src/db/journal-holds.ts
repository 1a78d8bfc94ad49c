/**
 * The locks of flows (*holds*, shared or exclusive): which waiting flows are granted theirs, and who blocks the others.
 *
 * Few flows wait, and all others pay nothing for them: a look at the queue adds a look at a partial index, which is nearly always
 * empty. The last write of a flow releases its holds and grants none; the next look at the queue, of any process, does, under
 * the same turn as `insertFlows` takes on PostgreSQL.
 */
import { FIRST_LANE } from '../engine/cursor.ts';
import { type FlowState, WAITING_LANE } from '../engine/journal.ts';
import { now } from '../lib/clock.ts';
import type { Database } from './database.ts';
import { takeTurn } from './journal-postgresql.ts';
import type { Db } from './sql/db.ts';

/** Gives those that wait the holds which nobody forbids any more. Resolves with whether some go on waiting. */
export async function grantHolds(database: Database): Promise<boolean> {
  const waiting = await database.read
    .selectFrom('hold')
    .innerJoin('flow', 'flow.id', 'hold.flow_id')
    .select(['hold.flow_id', 'hold.resource'])
    .where('hold.waiting', '=', 1)
    .where('flow.lane', '=', WAITING_LANE)
    .execute();
  if (waiting.length === 0) return false;
  const kept = new Set((await keptFlows(database.read).execute()).map(({ flow_id }) => flow_id));
  const free = waiting.filter(({ flow_id }) => !kept.has(flow_id));
  if (free.length === 0) return true;
  const granted = await database.write(async ({ db, connection }) => {
    const resources = free.map(({ resource }) => resource);
    if (connection.dialect === 'postgresql') takeTurn(connection, resources);
    const rows = await db
      .updateTable('flow')
      .set({ lane: FIRST_LANE, updated_at: now() })
      .where('id', 'in', [...new Set(free.map(({ flow_id }) => flow_id))])
      .where('lane', '=', WAITING_LANE)
      .where('id', 'not in', keptFlows(db))
      .returning('id')
      .execute();
    const ids = rows.map(({ id }) => id);
    if (ids.length > 0) await db.updateTable('hold').set({ waiting: 0 }).where('flow_id', 'in', ids).execute();
    return ids;
  });
  return waiting.some(({ flow_id }) => !granted.includes(flow_id));
}

/** A flow that keeps another waiting. */
export interface Holder {
  /** `volume:<id>` */
  readonly resource: string;
  readonly flowId: string;
  readonly name: string;
  readonly state: FlowState;
}

/** Of each of these flows that waits for its holds: what keeps it. A flow that may go on is not in it. */
export async function whatKeeps(db: Db, flowIds: readonly string[]): Promise<ReadonlyMap<string, readonly Holder[]>> {
  if (flowIds.length === 0) return new Map();
  const rows = await opposed(db)
    .innerJoin('flow as holder', 'holder.id', 'other.flow_id')
    .innerJoin('flow', 'flow.id', 'mine.flow_id')
    .select(['mine.flow_id as waiting', 'mine.resource', 'holder.id as flowId', 'holder.name', 'holder.state'])
    .where('flow.lane', '=', WAITING_LANE)
    .where('flow.id', 'in', [...flowIds])
    .orderBy('mine.resource')
    .orderBy('holder.id')
    .execute();
  return Map.groupBy(rows, ({ waiting }) => waiting);
}

/** Those that must go on waiting. */
const keptFlows = (db: Db) => opposed(db).select('mine.flow_id').distinct();

/** `mine`, which waits, with each `other` that must be gone first (`Hold`). */
function opposed(db: Db) {
  return db
    .selectFrom('hold as mine')
    .innerJoin('hold as other', 'other.resource', 'mine.resource')
    .whereRef('other.flow_id', '<>', 'mine.flow_id')
    .where((is) => is.or([is('mine.mode', '=', 'exclusive'), is('other.mode', '=', 'exclusive')]))
    .where((is) => is.or([is('other.waiting', '=', 0), is('other.flow_id', '<', is.ref('mine.flow_id'))]))
    .where('mine.waiting', '=', 1);
}
