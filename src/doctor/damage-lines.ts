/** What is known of a backup in its store, for people: when it was looked at, and what is damaged. */
import type { BackupCheck, KnownDamage } from '../db/backup-checks.ts';
import { rangesText } from '../flows/backups/damage-text.ts';
import { clockTime } from '../lib/times.ts';

const SEEN: Readonly<Record<BackupCheck['depth'], string>> = {
  present: 'its packs are there',
  packs: 'every byte of its packs',
  chunks: 'every chunk',
};

export function checkText(check: BackupCheck | undefined): string {
  if (check === undefined) return 'never, or not to its end';
  const { checkedAt, depth, percent } = check;
  return `${clockTime(checkedAt).slice(0, 16)} UTC, ${SEEN[depth]}${percent < 100 ? ` (${percent} % of them)` : ''}`;
}

/** A line for each pack. */
export const damageLines = (damage: readonly KnownDamage[]): string[] =>
  damage.map(({ what, ranges, pack }) => {
    const lost = pack === null ? 'nothing can be restored' : rangesText(ranges);
    return `damaged: ${what} Of the volume: ${lost}.`;
  });
