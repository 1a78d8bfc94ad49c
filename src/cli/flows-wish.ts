/**
 * `pumice flows cancel|revert|resume|abandon ID`: an operator's wish, that is an order to a flow.
 *
 * The wish is written into the flow's row, so a server need not run, and one that does hears of it within a second. `--wait`
 * stays until the flow has ended, or is stuck.
 */
import { wishOfFlow } from '../commands/flows/wish-of-flow.ts';
import { type Database, openDatabase } from '../db/database.ts';
import { DatabaseJournal } from '../db/journal.ts';
import { whatKeeps } from '../db/journal-holds.ts';
import type { FlowRow, Wish } from '../engine/journal.ts';
import { pause } from '../lib/clock.ts';
import { flowFacts } from '../why/flow-facts.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { Complaint, EXIT } from './exit-codes.ts';
import { findFlow } from './find-flow.ts';

export interface WishOptions extends ConfigFlags {
  readonly reason?: string;
  readonly wait?: boolean;
  readonly json?: boolean;
}

const POLL_MS = 200;

export async function orderFlow(wish: Wish, id: string, options: WishOptions, around: CliContext): Promise<number> {
  const { out, signal } = around;
  const db = await openDatabase(configurationOf(options).database.url, { as: 'tool' });
  try {
    const flow = await findFlow(db, id);
    const reason = options.reason ?? 'asked on the command line';
    const heard = await wishOfFlow(db, new DatabaseJournal(db), flow.id, wish, reason);
    if (!options.json) out.line(`${wish} is wished of ${flow.name} ${flow.id}.`);
    const after = options.wait ? await settled(db, flow.id, wish, signal) : heard;
    const holders = (await whatKeeps(db.read, [after.id])).get(after.id) ?? [];
    if (options.json) out.line(JSON.stringify(flowFacts(after, holders), null, 2));
    else if (options.wait) out.line(`It is ${after.state} now.`);
    return options.wait && after.state === 'stuck' ? EXIT.failed : EXIT.ok;
  } finally {
    await db.close();
  }
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
