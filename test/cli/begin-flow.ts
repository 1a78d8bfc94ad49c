/** A flow in flight that nobody runs, with its holds; it waits when others have what it wants. */
import type { Database } from '../../src/db/database.ts';
import { DatabaseJournal } from '../../src/db/journal.ts';
import type { NewFlow } from '../../src/engine/journal.ts';
import { orderedUuid } from '../../src/lib/clock.ts';

/** Resolves with its id. It has its resource for itself, unless `given` says otherwise. */
export async function beginFlow(database: Database, resource: string, given: Partial<NewFlow> = {}): Promise<string> {
  const flow: NewFlow = {
    id: orderedUuid(),
    name: 'create_volume',
    version: 1,
    lane: 'control',
    input: {},
    owner: null,
    resource,
    projectId: 'p',
    requestId: 'r',
    trace: null,
    holds: [{ resource, mode: 'exclusive' }],
    ...given,
  };
  const journal = new DatabaseJournal(database);
  await database.write((tx) =>
    journal.insert(
      tx,
      flow,
      undefined,
      () => {},
      (held) => held,
    ),
  );
  return flow.id;
}
