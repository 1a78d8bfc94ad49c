/** Orders that begin a flow: it is written into the queue, where it is nobody's, and a server takes it up within a second, or when one runs. */
import type { OrderDesk } from '../commands/desk.ts';
import type { Database } from '../db/database.ts';
import { DatabaseJournal } from '../db/journal.ts';
import { carry } from '../engine/carry.ts';
import { FIRST_LANE } from '../engine/cursor.ts';
import type { NewFlow } from '../engine/journal.ts';
import { orderedUuid, uuid } from '../lib/clock.ts';
import type { Caller } from '../model/caller.ts';

export function orderDesk(db: Database): OrderDesk {
  const journal = new DatabaseJournal(db);
  return {
    db,
    engine: {
      begin: async (tx, { name, version }, input, { id = orderedUuid(), holds = [], refusal, ...options }) => {
        const carried = carry<NewFlow['input']>(input as NewFlow['input'], name);
        const flow = {
          ...options,
          id,
          name,
          version,
          lane: FIRST_LANE,
          input: carried,
          owner: null,
          trace: null,
          holds,
        };
        const told = (): void => {};
        tx.atEnd(() => journal.insert(tx, flow, undefined, told, refusal ?? ((held) => held)));
        return id;
      },
    },
  };
}

/** Who may type commands here may do everything. */
export function operatorOf({ projectId }: { readonly projectId: string }): Caller {
  return {
    userId: 'operator',
    projectId,
    roles: ['admin'],
    isAdmin: true,
    serviceRoles: [],
    requestId: `req-${uuid()}`,
  };
}
