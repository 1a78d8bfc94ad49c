/** What a row of a backup says of damage in its store: at most 255 characters, for those who can do no more than choose another. */
import type { KnownDamage } from '../../db/backup-checks.ts';
import { sizeText } from '../../lib/bytes.ts';

/** Null: there is none. */
export function damageText(damage: readonly KnownDamage[]): string | null {
  if (damage.length === 0) return null;
  const then = 'Restore another backup, and make a new one of the volume.';
  if (damage.some(({ pack }) => pack === null))
    return `The manifest is damaged in the backup store, and nothing can be restored. ${then}`;
  const ranges = damage.flatMap((each) => each.ranges);
  const bytes = ranges.reduce((sum, range) => sum + range.bytes, 0);
  const at = Math.min(...ranges.map((range) => range.at));
  if (bytes === 0) return `A part is damaged in the backup store. ${then}`;
  const mends = 'Another backup of the volume mends it, as far as the volume is the same there.';
  return `${sizeText(bytes)} are damaged in the backup store, the first at ${sizeText(at)}. ${mends}`;
}
