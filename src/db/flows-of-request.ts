/** The flows that a request began. Few have more than one. */
import type { FlowRow } from '../engine/journal.ts';
import { flowRow } from './journal-rows.ts';
import type { Readers } from './sql/db.ts';

/** More are not told of. */
const MOST = 10;

/** Those in flight, or else those that have ended, which no index finds by their request; the newest first. */
export async function flowsOfRequest({ read, search }: Readers, requestId: string): Promise<FlowRow[]> {
  const of = (db: Readers['read']) => db.selectFrom('flow').selectAll().where('request_id', '=', requestId).limit(MOST);
  const inFlight = await of(read).where('ended_at', 'is', null).orderBy('created_at', 'desc').execute();
  const rows = inFlight.length > 0 ? inFlight : await of(search).orderBy('id', 'desc').execute();
  return rows.map(flowRow);
}
