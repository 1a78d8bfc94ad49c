/** When a row was made, where it does not say so: the oldest time that is known of it. */
import type { Timestamp } from '../../lib/clock.ts';
import type { FoundInRow } from './verdict.ts';

export function madeAt(
  createdAt: Timestamp | null,
  others: readonly (Timestamp | null)[],
  now: Timestamp,
  found: FoundInRow,
): Timestamp {
  if (createdAt !== null) return createdAt;
  const oldest = others.filter((time) => time !== null).sort()[0] ?? now;
  found.add('created-unknown', 'does not say when it was made', `${oldest} is taken, the oldest time known of it`);
  return oldest;
}
