/** Flows in flight by what they hold, or wait to hold: what is at work on each thing of a page. */
import type { FlowRow } from '../engine/journal.ts';
import { flowRow } from './journal-rows.ts';
import type { Db } from './sql/db.ts';

/** A statement has so many values at most; a page of a list has fewer. */
const AT_ONCE = 1_000;

/** Of each of the resources (`volume:<id>`) that any flow has or wants: those that have it first, and of them those that have it alone. */
export async function flowsOn(db: Db, resources: readonly string[]): Promise<ReadonlyMap<string, readonly FlowRow[]>> {
  const found = new Map<string, readonly FlowRow[]>();
  for (let from = 0; from < resources.length; from += AT_ONCE) {
    const rows = await db
      .selectFrom('hold')
      .innerJoin('flow', 'flow.id', 'hold.flow_id')
      .selectAll('flow')
      .select('hold.resource as held')
      .where('hold.resource', 'in', resources.slice(from, from + AT_ONCE))
      .where('flow.ended_at', 'is', null)
      .orderBy('hold.waiting')
      .orderBy('hold.mode')
      .orderBy('flow.id')
      .execute();
    for (const [resource, held] of Map.groupBy(rows, (row) => row.held)) found.set(resource, held.map(flowRow));
  }
  return found;
}
