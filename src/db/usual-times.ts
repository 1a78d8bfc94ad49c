/** How long a task has taken lately: a look at so many flows that ended last, however many there are. */
import { millis } from '../lib/clock.ts';
import type { Queries } from './sql/db.ts';

/** Flows that are looked at, of whatever name; and of those of the name so many count. */
const LOOKED_AT = 1_000;
const COUNTED = 30;

/** Milliseconds of each time, in no order. None for a flow that seldom runs, and for a task that shares a commit. */
export async function lateTimesOf(db: Queries, name: string, node: string): Promise<number[]> {
  const newest = db
    .selectFrom('flow')
    .select(['id', 'name', 'state'])
    .where('ended_at', 'is not', null)
    .orderBy('ended_at', 'desc')
    .limit(LOOKED_AT)
    .as('newest');
  const flows = await db
    .selectFrom(newest)
    .select('newest.id')
    .where('newest.name', '=', name)
    .where('newest.state', '=', 'success')
    .limit(COUNTED)
    .execute();
  if (flows.length === 0) return [];
  const steps = await db
    .selectFrom('flow_step')
    .select(['started_at', 'at'])
    .where(
      'flow_id',
      'in',
      flows.map(({ id }) => id),
    )
    .where('node', '=', node)
    .where('event', '=', 'done')
    .where('started_at', 'is not', null)
    .execute();
  return steps.map(({ started_at, at }) => millis(at) - millis(started_at ?? at));
}
