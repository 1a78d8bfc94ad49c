/** One attempt of a copy: it goes on after the bites that were recorded, and what it tells is recorded. */
import type { Bite, CopyOrder, CopyOutcome } from '../../backups/backups.ts';
import { chunksDone } from '../../backups/bites.ts';
import { beginAttempt } from '../../db/backup-work.ts';
import { getBackup } from '../../db/backups.ts';
import type { DriverCall } from '../../drivers/driver.ts';
import { MIB } from '../../lib/bytes.ts';
import { tellBackup } from '../tell.ts';
import type { Tools } from '../tools.ts';
import type { PlacedBackup } from './backup-place.ts';
import { BiteRecorder } from './bite-recorder.ts';
import { type WaitingCall, waitingFor } from './store-patience.ts';

/** Of so many bites one is told of. */
const TOLD = 10;

/** Tells how many bytes of the source are in the store. */
export async function attemptCopy(
  placed: PlacedBackup,
  wanted: Pick<CopyOrder, 'source' | 'parentId' | 'changed' | 'base' | 'damaged'>,
  reached: (bytes: number) => void,
  call: DriverCall & WaitingCall & { readonly requestId: string; readonly tools: Tools },
): Promise<CopyOutcome & { readonly attempt: number }> {
  const { db, ground } = call.tools.backups;
  const { place, patienceMs, bytesPerSecond } = placed;
  const { backupId } = place;
  const { attempt, bites } = await db.write((tx) => beginAttempt(tx, backupId));
  const all = wanted.source.bytes / MIB;
  let copied = chunksDone(bites);
  reached(copied * MIB);
  const recorder = new BiteRecorder({
    db,
    backupId,
    attempt,
    recorded: bites.length,
    recording: async (tx, recorded) => {
      if (recorded % TOLD !== 0) return;
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
    const order = { ...wanted, place, attempt, bites, patienceMs, bytesPerSecond };
    return { ...(await (await ground()).copy(order, watch)), attempt };
  } finally {
    await recorder.done();
  }
}
