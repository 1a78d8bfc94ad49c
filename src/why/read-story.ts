/** A flow's story with all that is told beside it, read from the database. */
import type { Database } from '../db/database.ts';
import { DatabaseJournal } from '../db/journal.ts';
import { type Holder, whatKeeps } from '../db/journal-holds.ts';
import { type Message, messagesOf } from '../db/messages.ts';
import type { FlowRow } from '../engine/journal.ts';
import { type Story, tellStory } from '../engine/story.ts';
import { FLOWS } from '../flows/registry.ts';

export interface FlowStory {
  readonly story: Story;
  /** What keeps it, when it waits for its holds. */
  readonly holders: readonly Holder[];
  /** What its request has told the project's users of its resource. */
  readonly messages: readonly Message[];
}

export async function readStory(db: Database, flow: FlowRow): Promise<FlowStory> {
  const steps = await new DatabaseJournal(db).steps(flow.id);
  const holders = (await whatKeeps(db.read, [flow.id])).get(flow.id) ?? [];
  const messages = await messagesOf(db.read, flow.resource.slice(flow.resource.indexOf(':') + 1), flow.requestId);
  return { story: tellStory(FLOWS, flow, steps), holders, messages };
}
