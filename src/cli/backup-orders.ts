/**
 * Orders about a backup: written into the queue where they are typed, carried out by a server as flows, watched, and told of when they have
 * ended.
 */
import type { OrderDesk } from '../commands/desk.ts';
import { type Database, openDatabase } from '../db/database.ts';
import { DatabaseJournal } from '../db/journal.ts';
import { tellStory } from '../engine/story.ts';
import { FLOWS } from '../flows/registry.ts';
import type { Caller } from '../model/caller.ts';
import { PumiceError } from '../model/errors.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { Complaint, EXIT } from './exit-codes.ts';
import { watchFlows } from './flows-watch.ts';
import { operatorOf, orderDesk } from './queue.ts';
import { backups } from './resources/backups.ts';
import { findResource } from './resources/find-resource.ts';

export interface BackupOrder<How> {
  /** The command. Resolves with the id of its flow. */
  begin(desk: OrderDesk, caller: Caller, id: string, how: How): Promise<string>;
  /** May look for what else was named. */
  how(db: Database): How | Promise<How>;
  /** What is said before the reason when the flow comes to nothing. */
  readonly failed: string;
}

/** Resolves with what `tell` does, after the flow has ended well; with 130 when it was left before. Rejects with `Complaint` when the order is refused, or fails. */
export async function carriedOut<How>(
  typed: string,
  options: ConfigFlags,
  around: CliContext,
  { begin, how, failed }: BackupOrder<How>,
  tell: (db: Database, id: string, flowId: string) => Promise<number>,
): Promise<number> {
  const url = configurationOf(options).database.url;
  const [id, flowId] = await withDatabase(url, async (db) => {
    const backup = await findResource(backups, db, typed);
    return [
      backup.id,
      await begin(orderDesk(db), operatorOf(backup), backup.id, await how(db)).catch(refused),
    ] as const;
  });
  const watched = await watchFlows([flowId], options, around);
  if (watched !== EXIT.ok) return watched;
  return withDatabase(url, async (db) => {
    await demandSuccess(db, flowId, failed);
    return tell(db, id, flowId);
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

async function demandSuccess(db: Database, flowId: string, failed: string): Promise<void> {
  const journal = new DatabaseJournal(db);
  const flow = await journal.find(flowId);
  if (flow === undefined || flow.state === 'success') return;
  const { steps } = tellStory(FLOWS, flow, await journal.steps(flowId));
  const failure = steps.find((step) => step.failure !== null)?.failure;
  throw new Complaint(`${failed}: ${failure?.message ?? flow.state}`);
}
