/** Writes what a backup holds into a volume: all of its bytes, and zeroes after them. */
import type { RestoreOutcome, RestoreTarget } from '../../backups/backups.ts';
import { beginAttempt, recordRestored } from '../../db/backup-work.ts';
import { getBackup } from '../../db/backups.ts';
import type { DriverCall, VolumeDriver, VolumeRef } from '../../drivers/driver.ts';
import { GIB } from '../../lib/bytes.ts';
import { BackupFailed } from '../../model/errors.ts';
import type { Tools } from '../tools.ts';
import { withRoom } from '../volumes/with-room.ts';
import { type PlacedBackup, placeOf } from './backup-place.ts';
import { findCinder, isCinders, type PlacedCinder } from './cinder-place.ts';
import { outliving } from './outlive.ts';
import { type WaitingCall, waitingFor } from './store-patience.ts';

export interface RestoringBackup {
  readonly backupId: string;
  readonly volumeRef: VolumeRef;
  readonly pool: string;
  /** What is damaged is left out. Not there: it ends the restore. */
  readonly skipsDamaged?: boolean;
}

/**
 * `isEmpty`: nobody has written to the volume. Nobody has it open, and whoever takes the work over goes on where it stood: what was written is
 * written down as the copy tells it. Of what is left out nothing is: who leaves anything out begins anew.
 */
export function restoreContent(input: RestoringBackup, isEmpty: boolean, call: Call): Promise<RestoreOutcome> {
  const { pool, volumeRef } = input;
  return withRoom(pool, volumeRef.id, call, (driver) => restoreOnce(input, isEmpty, driver, call));
}

type Call = DriverCall & WaitingCall & { readonly requestId: string; readonly tools: Tools };

async function restoreOnce(
  { backupId, volumeRef, skipsDamaged = false }: RestoringBackup,
  isEmpty: boolean,
  driver: VolumeDriver,
  call: Call,
): Promise<RestoreOutcome> {
  const { db, turns } = call.tools.backups;
  const backup = await getBackup(db.read, backupId);
  const placed = isCinders(backup)
    ? await findCinder(call.tools.backups, backup, call.signal)
    : await placeOf(call.tools.backups, backup);
  const whole = volumeRef.sizeGiB * GIB;
  const { bytes } = await driver.locateVolume(volumeRef, 'write', call.signal);
  // One that was taken over may have less than whole GiB.
  if (bytes < whole) await driver.extendVolume(volumeRef, volumeRef.sizeGiB, call);
  const { path } = await driver.locateVolume(volumeRef, 'write', call.signal);
  const target = { uri: `file:${path}`, bytes: whole, isEmpty };
  try {
    return await turns.run('restore', call, () =>
      outliving((reached) => attemptRestore(placed, { backupId, target, skipsDamaged }, reached, call)),
    );
  } finally {
    await driver.closeVolume(volumeRef, call.signal);
  }
}

interface WantedRestore {
  readonly backupId: string;
  readonly target: RestoreTarget;
  readonly skipsDamaged: boolean;
}

async function attemptRestore(
  placed: PlacedBackup | PlacedCinder,
  { backupId, target, skipsDamaged }: WantedRestore,
  reached: (bytes: number) => void,
  call: Call,
): Promise<RestoreOutcome> {
  const { patienceMs, bytesPerSecond } = placed;
  const { db, ground } = call.tools.backups;
  const { attempt, restoredBytes } = await db.write((tx) => beginAttempt(tx, backupId));
  const doneBytes = skipsDamaged ? 0 : restoredBytes;
  reached(doneBytes);
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
    const order = { target, patienceMs, bytesPerSecond };
    if (!('cinder' in placed))
      return await (await ground()).restore({ ...order, place: placed.place, doneBytes, skipsDamaged }, watch);
    await (await ground()).restoreCinder({ ...order, place: placed.cinder }, watch);
    return { missingBytes: 0, missing: [] };
  } finally {
    await recorded;
  }
}
