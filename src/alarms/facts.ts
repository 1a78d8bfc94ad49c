/** What the alarms are decided by: some small reads, none of which grows with the volumes or with the flows that have ended. */
import type { Database } from '../db/database.ts';
import { type EndedFlow, newestEnded, type OldFlow, oldFlows } from '../db/flow-times.ts';
import { type HeldBack, heldBackEvents } from '../db/held-back-events.ts';
import { DatabaseJournal } from '../db/journal.ts';
import { listPools, VOLUME_BINARY } from '../db/pools.ts';
import { listServices, type Service } from '../db/services.ts';
import { type KeptTrouble, listTroubles } from '../db/troubles.ts';
import { fromNow, type Timestamp } from '../lib/clock.ts';
import type { Pool } from '../model/backend.ts';
import { type SinkLag, sinkLags } from './sink-lag.ts';

export interface AlarmFacts {
  readonly at: Timestamp;
  /** The newest first. */
  readonly ended: readonly EndedFlow[];
  /** That have run for a minute or are stuck, the oldest first. */
  readonly old: readonly OldFlow[];
  /** Why the first of those that are stuck are, by id. */
  readonly stuck: ReadonlyMap<string, string>;
  readonly services: readonly Service[];
  /** Who was heard of since lives. */
  readonly alive: Timestamp;
  readonly pools: readonly Pool[];
  readonly lags: readonly SinkLag[];
  readonly heldBack: HeldBack | undefined;
  readonly troubles: readonly KeptTrouble[];
  /** By the doctor, the last time; null when it has not looked yet. */
  readonly found: readonly DoctorFinding[] | null;
}

export interface DoctorFinding {
  /** The check's name. */
  readonly check: string;
  readonly about: string;
  readonly says: string;
}

/** Ended flows that are compared. */
const COMPARED = 1_000;
const MOST_OLD = 500;
/** Alarms of one name at once: who is told of so many stuck flows learns nothing from one more. */
export const MOST_OF_A_NAME = 20;
const MINUTE_MS = 60_000;

export async function readFacts(
  db: Database,
  serviceDownSeconds: number,
  deliveredUpTo: ReadonlyMap<string, number>,
  found: AlarmFacts['found'],
): Promise<AlarmFacts> {
  const old = await oldFlows(db.read, fromNow(-MINUTE_MS), MOST_OLD);
  const stuck = old.filter(({ state }) => state === 'stuck').slice(0, MOST_OF_A_NAME);
  const journal = new DatabaseJournal(db);
  return {
    at: fromNow(0),
    ended: await newestEnded(db.read, COMPARED),
    old,
    stuck: new Map(await Promise.all(stuck.map(async ({ id }) => [id, await failureOf(journal, id)] as const))),
    services: await listServices(db.read, { binary: VOLUME_BINARY }),
    alive: fromNow(-serviceDownSeconds * 1000),
    pools: await listPools(db.read, serviceDownSeconds),
    lags: await sinkLags(db, deliveredUpTo),
    heldBack: await heldBackEvents(db.read),
    troubles: await listTroubles(db),
    found,
  };
}

async function failureOf(journal: DatabaseJournal, id: string): Promise<string> {
  const last = (await journal.steps(id)).findLast(({ event }) => event === 'revert_failed');
  return last?.event === 'revert_failed' ? `${last.node}: ${last.data.failure.message}` : 'its revert was given up';
}
