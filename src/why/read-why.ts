/** Reads from the database what an answer to *why* is made of; what it says is made in `six-sentences.ts`. */
import type { Database } from '../db/database.ts';
import { VOLUME_BINARY } from '../db/pools.ts';
import { findService } from '../db/services.ts';
import { lateTimesOf } from '../db/usual-times.ts';
import type { FlowRow } from '../engine/journal.ts';
import { now } from '../lib/clock.ts';
import type { Reader } from './flow-facts.ts';
import { type FlowStory, readStory } from './read-story.ts';
import { atRest, sixSentences } from './six-sentences.ts';
import { subjectOf } from './subject.ts';
import type { Why } from './why.ts';

/** `may` says for whom it is, of whose project it is; undefined: for nobody. So does an id of which nothing is known. */
export async function readWhy(
  db: Database,
  asked: string,
  may: (projectId: string) => Reader | undefined = () => 'operator',
): Promise<Why | undefined> {
  const subject = await subjectOf(db, asked);
  const reader = subject && may(subject.projectId);
  if (subject === undefined || reader === undefined) return undefined;
  const [flow] = subject.flows;
  if (flow === undefined) return atRest(subject);
  const told = await readStory(db, flow);
  return sixSentences(subject, told, {
    reader,
    at: now(),
    usualMs: await usualMs(db, told),
    host: await hostOfLane(db, flow),
  });
}

async function usualMs(db: Database, { story: { flow, now } }: FlowStory): Promise<number | null> {
  if (now === null || now.reverting) return null;
  const times = (await lateTimesOf(db.read, flow.name, now.node)).sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)] ?? null;
}

/** Whose turn it is, when nobody runs it: a host and what is known of its service. */
async function hostOfLane(db: Database, { lane, owner, endedAt }: FlowRow) {
  if (owner !== null || endedAt !== null || !lane.startsWith('host:')) return undefined;
  const name = lane.slice('host:'.length);
  const service = await findService(db.read, name, VOLUME_BINARY);
  return { name, seenAt: service?.updatedAt ?? null, failure: service?.failure ?? null };
}
