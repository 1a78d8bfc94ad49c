/** Damage of backups in words: of what lies where in a volume, and at most 255 characters for a row. */
import type { KnownDamage } from '../../db/backup-checks.ts';
import { sizeText } from '../../lib/bytes.ts';

/** For those who can do no more than choose another. Null: there is none. */
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

/** So many ranges are named. */
const NAMED = 8;

/** `1 MiB at 12.5 GiB, 3 MiB at 2 TiB, and 7 more` */
export function rangesText(ranges: KnownDamage['ranges']): string {
  if (ranges.length === 0) return 'nothing';
  const named = ranges.slice(0, NAMED).map(({ at, bytes }) => `${sizeText(bytes)} at ${sizeText(at)}`);
  const more = ranges.length - named.length;
  return `${named.join(', ')}${more > 0 ? `, and ${more} more` : ''}`;
}
