/**
 * Runs a change only while no flow holds a volume or a snapshot exclusively: that flow writes the resource's status at its end,
 * and would take back another one that was written meanwhile.
 *
 * A command cannot see the holds of flows that begin in its own commit, since these are written last (`db/sql/writer.ts`,
 * entries). But a command that takes a resource changes its row in the same unit. So the committed row is looked at
 * first (an optimistic lock); when the row is another by the time it is locked, it is looked at again.
 */
import type { Db } from '../db/sql/db.ts';
import type { Tx } from '../db/sql/tx.ts';
import { exclusiveHolder } from '../db/unended-flows.ts';
import { ResourceHeld } from '../model/errors.ts';
import { afterConnecting } from './attachments/connect.ts';
import type { Desk } from './desk.ts';

interface Revised {
  readonly revision: number;
}

export interface Unheld<Row extends Revised> {
  /** `volume:<id>` */
  readonly resource: string;
  find(db: Db): Promise<Row>;
  lock(tx: Tx): Promise<Row>;
}

const LOOKS = 20;

/** Rejects with `ResourceHeld`, which names the flow. What only shares the resource is not in the way. */
export async function whileUnheld<Row extends Revised, Result>(
  desk: Desk,
  { resource, find, lock }: Unheld<Row>,
  body: (tx: Tx, row: Row) => Promise<Result>,
): Promise<Result> {
  for (let look = 0; look < LOOKS; look++) {
    const seen = await find(desk.db.read);
    await refuseHeld(desk.db.read, resource);
    const outcome = await afterConnecting(desk, async (tx) => {
      const row = await lock(tx);
      return row.revision === seen.revision ? { result: await body(tx, row) } : null;
    });
    if (outcome !== null) return outcome.result;
  }
  throw new ResourceHeld(`${resource.replace(':', ' ')} changes all the time; ask again.`);
}

async function refuseHeld(db: Db, resource: string): Promise<void> {
  const holder = await exclusiveHolder(db, resource);
  if (holder === undefined) return;
  const { id, name, state } = holder;
  const how = state === 'stuck' ? 'is stuck: `pumice flows resume' : 'is at work: `pumice flows cancel';
  throw new ResourceHeld(
    `${resource.replace(':', ' ')} is in use by ${name.replaceAll('_', ' ')}, which ${how} ${id}\` brings it to an end.`,
  );
}
