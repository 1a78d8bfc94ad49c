/** One attempt of a copy: it goes on after the bites that were recorded, and what it tells is recorded. */
import type { Bite, CopyOrder, CopyOutcome } from '../../backups/backups.ts';
import { chunksDone } from '../../backups/bites.ts';
import { partsOf } from '../../backups/format/names.ts';
import { beginAttempt } from '../../db/backup-work.ts';
import { getBackup } from '../../db/backups.ts';
import type { DriverCall } from '../../drivers/driver.ts';
import { MIB } from '../../lib/bytes.ts';
import { tellBackup } from '../tell.ts';
import type { Tools } from '../tools.ts';
import type { PlacedBackup } from './backup-place.ts';
import { BiteRecorder } from './bite-recorder.ts';
import { type WaitingCall, waitingFor } from './store-patience.ts';

/** It is told how far a copy is when one of so many bites has been recorded: about as often as Cinder, after ten objects of 50 MiB. */
const TOLD = 32;

export interface WantedCopy extends Pick<CopyOrder, 'source' | 'parentId' | 'changed' | 'base' | 'damaged'> {
  /** As the flow was told. */
  readonly earlierAttempts: number | undefined;
}

/** Tells how many bytes of the source are in the store. */
export async function attemptCopy(
  placed: PlacedBackup,
  { earlierAttempts, ...wanted }: WantedCopy,
  reached: (bytes: number) => void,
  call: DriverCall & WaitingCall & { readonly requestId: string; readonly tools: Tools },
): Promise<CopyOutcome & { readonly attempt: number }> {
  const { db, ground } = call.tools.backups;
  const { place, patienceMs, bytesPerSecond } = placed;
  const { backupId } = place;
  const { attempt, bites: recorded } = await db.write((tx) => beginAttempt(tx, backupId));
  const { bites, earlier } = byTry(recorded, earlierAttempts);
  const all = wanted.source.bytes / MIB;
  let copied = chunksDone(bites);
  reached(copied * MIB);
  const recorder = new BiteRecorder({
    db,
    backupId,
    attempt,
    recorded: recorded.length,
    tells: (before, after) => Math.floor(after / TOLD) > Math.floor(before / TOLD),
    tell: async (tx) => {
      const extra = { backup_percent: String(Math.floor((100 * copied) / all)) };
      await tellBackup(tx, 'createprogress', await getBackup(tx.db, backupId), call.requestId, extra);
    },
  });
  const watch = {
    signal: AbortSignal.any([call.signal, recorder.signal]),
    progress: call.progress,
    waiting: waitingFor(placed, call),
    bite: (bite: Bite) => {
      copied = bite.first + bite.chunks;
      reached(copied * MIB);
      recorder.take(bite);
    },
  };
  try {
    const order = { ...wanted, place, attempt, bites, earlier, patienceMs, bytesPerSecond };
    return { ...(await (await ground()).copy(order, watch)), attempt };
  } finally {
    await recorder.done();
  }
}

/** What was recorded, by the try that has: of this one, and of those before, whose attempts were so many. */
export function byTry(
  recorded: readonly Bite[],
  earlierAttempts = 0,
): { readonly bites: readonly Bite[]; readonly earlier: readonly Bite[] } {
  const isEarlier = ({ pack }: Bite): boolean => partsOf(pack).attempt <= earlierAttempts;
  return { bites: recorded.filter((bite) => !isEarlier(bite)), earlier: recorded.filter(isEarlier) };
}
