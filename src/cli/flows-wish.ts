/**
 * `pumice flows cancel|revert|resume|abandon ID`: an operator's wish, that is an order to a flow.
 *
 * The wish is written into the flow's row, so a server need not run, and one that does hears of it within a second. `--wait`
 * stays until the flow has ended, or is stuck.
 */
import { type Database, openDatabase } from '../db/database.ts';
import { DatabaseJournal } from '../db/journal.ts';
import { whatKeeps } from '../db/journal-holds.ts';
import type { FlowRow, Wish } from '../engine/journal.ts';
import { pause } from '../lib/clock.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { Complaint, EXIT } from './exit-codes.ts';
import { findFlow } from './find-flow.ts';
import { flowFacts } from './flow-facts.ts';

export interface WishOptions extends ConfigFlags {
  readonly reason?: string;
  readonly wait?: boolean;
  readonly json?: boolean;
}

const POLL_MS = 200;

export async function wishOfFlow(wish: Wish, id: string, options: WishOptions, around: CliContext): Promise<number> {
  const { out, signal } = around;
  const db = await openDatabase(configurationOf(options).database.url, { as: 'tool' });
  try {
    const flow = await findFlow(db, id);
    const heard = await new DatabaseJournal(db).wish(flow.id, wish, options.reason ?? 'asked on the command line');
    if (!heard) throw new Complaint(refusal(wish, await findFlow(db, flow.id)));
    if (!options.json) out.line(`${wish} is wished of ${flow.name} ${flow.id}.`);
    const after = options.wait ? await settled(db, flow.id, wish, signal) : await findFlow(db, flow.id);
    const holders = (await whatKeeps(db.read, [after.id])).get(after.id) ?? [];
    if (options.json) out.line(JSON.stringify(flowFacts(after, holders), null, 2));
    else if (options.wait) out.line(`It is ${after.state} now.`);
    return options.wait && after.state === 'stuck' ? EXIT.failed : EXIT.ok;
  } finally {
    await db.close();
  }
}

function refusal(wish: Wish, { id, state }: FlowRow): string {
  if (state === 'success' || state === 'reverted') return `Flow ${id} has ended: ${state}.`;
  if (wish === 'resume' || wish === 'abandon')
    return `Flow ${id} is not stuck but ${state}; only a stuck one can be ${wish}${wish === 'resume' ? 'd' : 'ed'}.`;
  return state === 'stuck'
    ? `Flow ${id} is stuck in a revert; \`resume\` or \`revert\` tries it again.`
    : `Flow ${id} is ${state} already.`;
}

/** A stuck flow has first to be taken up: until then its wish stands in the row. */
async function settled(db: Database, id: string, wish: Wish, signal: AbortSignal): Promise<FlowRow> {
  const journal = new DatabaseJournal(db);
  for (;;) {
    const flow = await journal.find(id);
    if (flow === undefined) throw new Complaint(`Flow ${id} has been pruned.`);
    if (flow.endedAt !== null || (flow.state === 'stuck' && flow.wish !== wish)) return flow;
    await pause(POLL_MS, signal);
  }
}
