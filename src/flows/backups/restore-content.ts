/** Writes what a backup holds into a volume: all of its bytes, and zeroes after them. */
import type { RestoreTarget } from '../../backups/backups.ts';
import { beginAttempt, recordRestored } from '../../db/backup-work.ts';
import { getBackup } from '../../db/backups.ts';
import type { DriverCall, VolumeDriver, VolumeRef } from '../../drivers/driver.ts';
import { GIB } from '../../lib/bytes.ts';
import { BackupFailed } from '../../model/errors.ts';
import type { Tools } from '../tools.ts';
import { withRoom } from '../volumes/image-cache.ts';
import { type PlacedBackup, placeOf } from './backup-place.ts';
import { outliving } from './outlive.ts';
import { type WaitingCall, waitingFor } from './store-patience.ts';

export interface RestoringBackup {
  readonly backupId: string;
  readonly volumeRef: VolumeRef;
  readonly pool: string;
}

/**
 * `isEmpty`: nobody has written to the volume. Nobody has it open, and whoever takes the work over goes on where it stood: what was written is
 * written down as the copy tells it.
 */
export function restoreContent(input: RestoringBackup, isEmpty: boolean, call: Call): Promise<void> {
  const { pool, volumeRef } = input;
  return withRoom(pool, volumeRef.id, call, (driver) => restoreOnce(input, isEmpty, driver, call));
}

type Call = DriverCall & WaitingCall & { readonly requestId: string; readonly tools: Tools };

async function restoreOnce(
  { backupId, volumeRef }: RestoringBackup,
  isEmpty: boolean,
  driver: VolumeDriver,
  call: Call,
): Promise<void> {
  const { db, turns } = call.tools.backups;
  const placed = await placeOf(call.tools.backups, await getBackup(db.read, backupId));
  const whole = volumeRef.sizeGiB * GIB;
  const { bytes } = await driver.locateVolume(volumeRef, call.signal);
  // One that was taken over may have less than whole GiB.
  if (bytes < whole) await driver.extendVolume(volumeRef, volumeRef.sizeGiB, call);
  const { path } = await driver.locateVolume(volumeRef, call.signal);
  const target = { uri: `file:${path}`, bytes: whole, isEmpty };
  await turns.run('restore', call, () => outliving((reached) => attemptRestore(placed, target, reached, call)));
}

async function attemptRestore(
  placed: PlacedBackup,
  target: RestoreTarget,
  reached: (bytes: number) => void,
  call: Call,
): Promise<void> {
  const { place, patienceMs, bytesPerSecond } = placed;
  const { db, ground } = call.tools.backups;
  const { backupId } = place;
  const { attempt, restoredBytes } = await db.write((tx) => beginAttempt(tx, backupId));
  reached(restoredBytes);
  const stop = new AbortController();
  let recorded = Promise.resolve();
  const record = (done: number): Promise<void> =>
    db
      .write((tx) => recordRestored(tx, backupId, attempt, done))
      .then((isCurrent) => {
        if (!isCurrent) throw new BackupFailed(`Another attempt goes on with backup ${backupId}.`);
      });
  const watch = {
    signal: AbortSignal.any([call.signal, stop.signal]),
    progress: call.progress,
    waiting: waitingFor(placed, call),
    done: (done: number) => {
      reached(done);
      recorded = recorded.then(() => record(done));
      recorded.catch((error: unknown) => stop.abort(error));
    },
  };
  try {
    const order = { place, target, doneBytes: restoredBytes, patienceMs, bytesPerSecond };
    await (await ground()).restore(order, watch);
  } finally {
    await recorded;
  }
}
