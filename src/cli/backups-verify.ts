/**
 * `pumice backups verify`: an order to look at a backup in its store. It is carried out by a server, as a flow; whoever has typed it watches, and
 * reads what was found. What is kept of it stands in `pumice backups show` too.
 */
import { verifyBackup } from '../commands/backups/verify-backup.ts';
import { type CheckDepth, checksOf, damageOf } from '../db/backup-checks.ts';
import { type Database, openDatabase } from '../db/database.ts';
import { DatabaseJournal } from '../db/journal.ts';
import { tellStory } from '../engine/story.ts';
import { FLOWS } from '../flows/registry.ts';
import { PumiceError } from '../model/errors.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { Complaint, EXIT } from './exit-codes.ts';
import { watchFlows } from './flows-watch.ts';
import { operatorOf, orderDesk } from './queue.ts';
import { backups } from './resources/backups.ts';
import { checkText, damageLines } from './resources/damage-lines.ts';
import { findResource } from './resources/find-resource.ts';

export interface VerifyOptions extends ConfigFlags {
  readonly depth: CheckDepth;
  /** Percent. */
  readonly sample?: number;
  /** Bytes. */
  readonly budget?: number;
}

export async function verifyByOrder(typed: string, options: VerifyOptions, around: CliContext): Promise<number> {
  const { depth, sample = 100, budget = null } = options;
  if (budget !== null && (sample < 100 || depth !== 'packs'))
    throw new Complaint('A budget is for all bytes of the packs: --depth packs, without --sample.', EXIT.usage);
  const url = configurationOf(options).database.url;
  const open = <Result>(body: (db: Database) => Promise<Result>): Promise<Result> => withDatabase(url, body);
  const [id, flowId] = await open(async (db) => {
    const backup = await findResource(backups, db, typed);
    const how = { depth, percent: sample, budgetBytes: budget };
    return [backup.id, await verifyBackup(orderDesk(db), operatorOf(backup), backup.id, how).catch(refused)] as const;
  });
  const watched = await watchFlows([flowId], options, around);
  if (watched !== EXIT.ok) return watched;
  return open(async (db) => {
    await demandSuccess(db, flowId);
    const damage = await damageOf(db.read, [id]);
    around.out.lines([checkText((await checksOf(db.read, [id])).get(id)), ...damageLines(damage)]);
    return damage.length > 0 ? EXIT.findings : EXIT.ok;
  });
}

async function withDatabase<Result>(url: string, body: (db: Database) => Promise<Result>): Promise<Result> {
  const db = await openDatabase(url, { as: 'tool' });
  return body(db).finally(() => db.close());
}

function refused(error: unknown): never {
  if (error instanceof PumiceError) throw new Complaint(error.message, EXIT.failed, { cause: error });
  throw error;
}

async function demandSuccess(db: Database, flowId: string): Promise<void> {
  const journal = new DatabaseJournal(db);
  const flow = await journal.find(flowId);
  if (flow === undefined || flow.state === 'success') return;
  const { steps } = tellStory(FLOWS, flow, await journal.steps(flowId));
  const failure = steps.find((step) => step.failure !== null)?.failure;
  throw new Complaint(`It could not be looked at: ${failure?.message ?? flow.state}`);
}
