/** How many flows have not ended, by state: read along an index that only they are in. */

import type { FlowState } from '../engine/journal.ts';
import { WAITING_LANE } from '../engine/journal.ts';
import type { Timestamp } from '../lib/clock.ts';
import type { Db } from './sql/db.ts';

export interface FlowCount {
  readonly state: FlowState;
  /** For its holds. */
  readonly waits: boolean;
  readonly flows: number;
  /** When the oldest of them began. */
  readonly oldest: Timestamp;
}

export async function countUnendedFlows(db: Db): Promise<readonly FlowCount[]> {
  const rows = await db
    .selectFrom('flow')
    .select(({ fn, eb }) => [
      'state',
      eb.case().when('lane', '=', WAITING_LANE).then(1).else(0).end().as('waits'),
      fn.countAll<number>().as('flows'),
      fn.min('created_at').as('oldest'),
    ])
    .where('ended_at', 'is', null)
    .groupBy(['state', 'waits'])
    .execute();
  return rows.map(({ state, waits, flows, oldest }) => ({
    state: state as FlowState,
    waits: Number(waits) === 1,
    flows: Number(flows),
    oldest,
  }));
}
