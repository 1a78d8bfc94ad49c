/** Finds a flow by the beginning of its id. */
import type { Database } from '../db/database.ts';
import { idsBeginning } from '../db/ids-beginning.ts';
import { DatabaseJournal } from '../db/journal.ts';
import type { FlowRow } from '../engine/journal.ts';
import { firstOf, LOOKED_FOR } from './ambiguous.ts';
import { Complaint } from './exit-codes.ts';

export async function findFlow(db: Database, typed: string): Promise<FlowRow> {
  const prefix = typed.toLowerCase();
  const ids = await idsBeginning(db.read, 'flow', prefix, LOOKED_FOR);
  const [id] = ids;
  if (id === undefined) throw new Complaint(`There is no flow whose id begins with ${JSON.stringify(typed)}.`);
  if (ids.length > 1 && id !== prefix) throw new Complaint(`More than one flow begins with ${typed}: ${firstOf(ids)}.`);
  const flow = await new DatabaseJournal(db).find(id);
  if (flow === undefined) throw new Complaint(`Flow ${id} has just been pruned.`);
  return flow;
}
