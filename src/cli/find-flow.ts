/** Finds a flow by the beginning of its id. */
import type { Database } from '../db/database.ts';
import { idsBeginning } from '../db/ids-beginning.ts';
import { DatabaseJournal } from '../db/journal.ts';
import type { FlowRow } from '../engine/journal.ts';
import { Complaint } from './exit-codes.ts';

/** So many are named when several begin alike. */
const NAMED = 5;

export async function findFlow(db: Database, typed: string): Promise<FlowRow> {
  const prefix = typed.toLowerCase();
  const ids = await idsBeginning(db.read, 'flow', prefix, NAMED + 1);
  const [id] = ids;
  if (id === undefined) throw new Complaint(`There is no flow whose id begins with ${JSON.stringify(typed)}.`);
  if (ids.length > 1 && id !== prefix) {
    const shown = ids.slice(0, NAMED).join(', ');
    throw new Complaint(`More than one flow begins with ${typed}: ${shown}${ids.length > NAMED ? ', …' : ''}.`);
  }
  const flow = await new DatabaseJournal(db).find(id);
  if (flow === undefined) throw new Complaint(`Flow ${id} has just been pruned.`);
  return flow;
}
