/**
 * The bites of a backup that count.
 *
 * They are without a gap, each from where the last one ended. One that begins at 0 begins anew: what was copied before it was compared
 * with the wrong thing, and counts no more.
 */
import { BackupFailed } from '../model/errors.ts';
import type { Bite } from './backups.ts';

/** Throws `BackupFailed` where one is missing. */
export function standing(bites: readonly Bite[]): readonly Bite[] {
  const start = bites.findLastIndex(({ first }) => first === 0);
  const counting = bites.slice(Math.max(0, start));
  let end = 0;
  for (const { pack, first, chunks } of counting) {
    if (first !== end)
      throw new BackupFailed(`Pack ${pack} begins at MiB ${first}, and the one before ended at ${end}.`);
    end = first + chunks;
  }
  return counting;
}

/** How many chunks are in the store with them. */
export function chunksDone(bites: readonly Bite[]): number {
  const last = standing(bites).at(-1);
  return last === undefined ? 0 : last.first + last.chunks;
}
