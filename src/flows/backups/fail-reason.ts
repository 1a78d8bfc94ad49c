/** Why a backup was not made, as its row tells it for good. */
import type { RecordedBite } from '../../db/backup-work.ts';
import { messageText, type Operation } from '../../events/messages.ts';
import { GIB, MIB } from '../../lib/bytes.ts';
import type { Backup } from '../../model/backup.ts';
import { isOfTheStore, KEPT_DAYS } from './kept-work.ts';

/** What the user is told, and how far the copy had come. `bites`: all that were recorded. Shorter than 255 characters. */
export function failReason(
  failure: { readonly name: string },
  operation: Operation,
  { bites, backup }: { readonly bites: readonly RecordedBite[]; readonly backup: Pick<Backup, 'id' | 'sizeGiB'> },
): string {
  const last = bites.at(-1);
  const done = last === undefined ? 0 : (last.first + last.chunks) * MIB;
  const percent = Math.floor((100 * done) / (backup.sizeGiB * GIB));
  const then = isOfTheStore(failure)
    ? `an operator can let it go on within ${KEPT_DAYS} days: pumice backups retry ${backup.id}`
    : 'nothing of it is kept';
  return `${messageText(failure.name, operation)} It had come to ${percent} % of the volume; ${then}.`;
}
