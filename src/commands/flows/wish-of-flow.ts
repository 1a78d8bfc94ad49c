/** What an operator may order of a flow, by whichever door: try a stuck revert again, give it up, take the flow back. */
import type { Database } from '../../db/database.ts';
import { DatabaseJournal } from '../../db/journal.ts';
import type { FlowRow, Journal, Wish } from '../../engine/journal.ts';
import { FlowConflict, FlowNotFound } from '../../model/errors.ts';

/** An engine tells a flow that it runs at once; a journal leaves it to be heard within a second. */
type Hearing = Pick<Journal<never>, 'wish'>;

/**
 * Resolves with the flow, in whose row the wish stands until it is heeded. Rejects with `FlowConflict` where it makes no sense, with
 * `FlowNotFound` when the flow has been pruned.
 */
export async function wishOfFlow(db: Database, by: Hearing, id: string, wish: Wish, reason: string): Promise<FlowRow> {
  const heard = await by.wish(id, wish, reason);
  const flow = await new DatabaseJournal(db).find(id);
  if (flow === undefined) throw new FlowNotFound(id);
  if (!heard) throw new FlowConflict(refusal(wish, flow));
  return flow;
}

function refusal(wish: Wish, { id, state }: FlowRow): string {
  if (state === 'success' || state === 'reverted') return `Flow ${id} has ended: ${state}.`;
  if (wish === 'resume' || wish === 'abandon')
    return `Flow ${id} is not stuck but ${state}; only a stuck one can be ${wish}${wish === 'resume' ? 'd' : 'ed'}.`;
  return state === 'stuck'
    ? `Flow ${id} is stuck in a revert; \`resume\` or \`revert\` tries it again.`
    : `Flow ${id} is ${state} already.`;
}
