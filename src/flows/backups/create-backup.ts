/**
 * Create a backup of a volume, in use or not, or of a snapshot.
 *
 * The command has inserted the row (`creating`), counted the quota, moved the volume (or the snapshot) to `backing-up` and shares it, so that what
 * is attached can still be detached. What the volume holds is kept by its backend, copied to the store in bites, and the
 * manifest is written: from then on there is a backup, which the last record tells. Whoever takes a copy over goes on after the last
 * bite that was recorded.
 *
 * If it fails the row says `error` and why, the volume is what it was before, nothing stays on the backend, and what is in the store is
 * to be removed, by a record (`remove-remains.ts`): the store may be away for long.
 */

import { giveUpContent, keepContent } from '../../db/backup-contents.ts';
import { knowStore } from '../../db/backup-scopes.ts';
import { beginAttempt, bitesOf, endWork } from '../../db/backup-work.ts';
import { findBackup, getBackup, updateBackup } from '../../db/backups.ts';
import { findSnapshot, updateSnapshot } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { findVolume, updateVolume } from '../../db/volumes.ts';
import type { DriverCall, RawSource, SnapshotRef, VolumeRef } from '../../drivers/driver.ts';
import { messageText } from '../../events/messages.ts';
import { GIB, MIB } from '../../lib/bytes.ts';
import { BACKUP_TRANSITIONS } from '../../model/backup-status.ts';
import { BackupStoreRefused } from '../../model/errors.ts';
import { SNAPSHOT_TRANSITIONS, VOLUME_TRANSITIONS } from '../../model/status.ts';
import { tellBackup, tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record, type Tools, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';
import { withRoom } from '../volumes/image-cache.ts';
import { placeOf } from './backup-place.ts';
import { BiteRecorder } from './bite-recorder.ts';

export interface CreateBackup {
  readonly backupId: string;
  readonly volumeRef: VolumeRef;
  /** Null: of the volume as it is. */
  readonly snapshotRef: SnapshotRef | null;
  readonly pool: string;
  /** The backup to which this one points where it is equal; null: it stores all. */
  readonly parentId: string | null;
}

const ErrorOut = obligation({
  name: 'error_out',
  revert: async (input: CreateBackup, _outcome, { tx, failures, ...context }) => {
    await giveSourceBack(tx, input);
    const backup = await findBackup(tx.db, input.backupId);
    if (backup === undefined) return;
    if (backup.scopeId !== null) await giveUpContent(tx, backup.id, backup.scopeId);
    const failReason = messageText(failures[0].name, 'create-backup');
    await updateBackup(tx, backup.id, { status: BACKUP_TRANSITIONS.create.failure, failReason });
    await tellUser(tx, 'create-backup', failures[0], backup, context);
  },
});

const NotifyBackupAction = record({
  name: 'notify_backup_action;create.start',
  execute: async ({ backupId }: CreateBackup, { tx, requestId }) => {
    await tellBackup(tx, 'create.start', await getBackup(tx.db, backupId), requestId);
  },
});

const KeepSource = world({
  name: 'keep_source',
  execute: async (input: CreateBackup, call) => {
    await keptSource(input, call);
  },
  revert: async (input, outcome, call) => {
    if (!neverAsked(outcome)) await call.tools.driver(input.pool).dropForBackup(input.backupId, input.volumeRef, call);
  },
});

/** Of so many bites one is told of. */
const TOLD = 10;

const CopyToStore = world({
  name: 'copy_to_store',
  execute: async (input: CreateBackup, call) => {
    const { backupId, parentId } = input;
    const { db } = call.tools.backups;
    const ground = await call.tools.backups.ground();
    const { place, patienceMs } = await placeOf(call.tools.backups, await getBackup(db.read, backupId));
    const source = await keptSource(input, call);
    const storeId = await ground.openScope(place, null, call.signal);
    if (!(await db.write((tx) => knowStore(tx, place.scope, storeId))))
      throw new BackupStoreRefused(`Another store is in the place of the one that has scope ${place.scope}.`);
    const { attempt, bites } = await db.write((tx) => beginAttempt(tx, backupId));
    const all = source.bytes / MIB;
    let copied = 0;
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
    const order = { place, attempt, parentId, changed: null, base: null, bites, patienceMs };
    const { way, storedBytes } = await ground.copy(
      { ...order, source: { uri: `file:${source.path}`, bytes: source.bytes } },
      {
        signal: AbortSignal.any([call.signal, recorder.signal]),
        progress: call.progress,
        waiting: () => undefined,
        bite: (bite) => {
          copied = bite.first + bite.chunks;
          recorder.take(bite);
        },
      },
    );
    await recorder.done();
    return { copied: { way, storedBytes, attempt } };
  },
});

/** From here on it can be restored, by whoever has the store. Of packs that no attempt has told of nothing stays. */
const WriteManifest = world({
  name: 'write_manifest',
  execute: async (
    { backupId, volumeRef, snapshotRef, parentId, copied }: CreateBackup & { copied: { attempt: number } },
    { tools, signal },
  ) => {
    const { db } = tools.backups;
    const ground = await tools.backups.ground();
    const backup = await getBackup(db.read, backupId);
    const { place } = await placeOf(tools.backups, backup);
    const bites = await bitesOf(db.read, backupId);
    const { root, packs } = await ground.writeManifest(
      {
        place,
        parentId,
        bytes: (snapshotRef ?? volumeRef).sizeGiB * GIB,
        bites,
        createdAt: backup.createdAt,
        metadata: { volume_id: backup.volumeId, size: backup.sizeGiB, image_metadata: backup.imageMetadata },
      },
      signal,
    );
    const content = { backupId, scopeId: place.scope, root, packs: packs.map(({ name }) => name) };
    await db.write((tx) => keepContent(tx, content));
    await ground.deleteUnrecorded(place, copied.attempt, bites, signal);
    return { objectCount: bites.length };
  },
});

const DropSource = world({
  name: 'drop_source',
  execute: async ({ backupId, volumeRef, pool }: CreateBackup, call) =>
    call.tools.driver(pool).dropForBackup(backupId, volumeRef, call),
});

const CreateBackupOnFinish = record({
  name: 'create_backup_on_finish;create.end',
  execute: async (input: CreateBackup & { objectCount: number }, { tx, requestId }) => {
    const { backupId, objectCount } = input;
    await endWork(tx, backupId);
    await giveSourceBack(tx, input);
    await updateBackup(tx, backupId, { status: BACKUP_TRANSITIONS.create.success, objectCount });
    await tellBackup(tx, 'create.end', await getBackup(tx.db, backupId), requestId);
  },
});

export const createBackup = flow<CreateBackup>('create_backup')
  .add(ErrorOut)
  .lane(onHostOf)
  .add(NotifyBackupAction)
  .add(KeepSource)
  .add(CopyToStore)
  .add(WriteManifest)
  .add(DropSource)
  .add(CreateBackupOnFinish)
  .build({ version: 1 });

/** The same each time that it is asked. */
function keptSource(
  { backupId, volumeRef, snapshotRef, pool }: CreateBackup,
  call: DriverCall & { readonly requestId: string; readonly tools: Tools },
): Promise<RawSource> {
  const of = snapshotRef === null ? { volume: volumeRef } : { snapshot: snapshotRef };
  return withRoom(pool, volumeRef.id, call, (driver) => driver.keepForBackup(backupId, of, call));
}

/** What it was made from is what it was before; whatever else it has become meanwhile, it stays. */
async function giveSourceBack(tx: Tx, { volumeRef, snapshotRef }: CreateBackup): Promise<void> {
  if (snapshotRef !== null) {
    const snapshot = await findSnapshot(tx.db, snapshotRef.id);
    if (snapshot?.status === SNAPSHOT_TRANSITIONS.backup.during[0])
      await updateSnapshot(tx, snapshot.id, { status: SNAPSHOT_TRANSITIONS.backup.success });
    return;
  }
  const volume = await findVolume(tx.db, volumeRef.id);
  if (volume?.status !== VOLUME_TRANSITIONS.backup.during[0]) return;
  await updateVolume(tx, volume.id, { status: volume.previousStatus ?? 'available', previousStatus: null });
}
