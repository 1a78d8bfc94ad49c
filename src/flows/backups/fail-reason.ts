/** Why a backup was not made, as its row tells it for good. */
import type { RecordedBite } from '../../db/backup-work.ts';
import { messageText, type Operation } from '../../events/messages.ts';
import { GIB, MIB } from '../../lib/bytes.ts';

/** What the user is told, and how far the copy had come. `bites`: all that were recorded. Shorter than 255 characters. */
export function failReason(
  failure: { readonly name: string },
  operation: Operation,
  { bites, sizeGiB }: { readonly bites: readonly RecordedBite[]; readonly sizeGiB: number },
): string {
  const last = bites.at(-1);
  const done = last === undefined ? 0 : (last.first + last.chunks) * MIB;
  const percent = Math.floor((100 * done) / (sizeGiB * GIB));
  return `${messageText(failure.name, operation)} It had come to ${percent} % of the volume; nothing of it is kept.`;
}
