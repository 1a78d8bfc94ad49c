/**
 * Create a backup of a volume, in use or not, or of a snapshot.
 *
 * The command has inserted the row (`creating`), counted the quota, moved the volume (or the snapshot) to `backing-up` and shares it, so that what
 * is attached can still be detached. What the volume holds is kept by its backend, copied to the store in bites, and the
 * manifest is written: from then on there is a backup, which the last record tells. Whoever takes a copy over goes on after the last
 * bite that was recorded. What was kept is kept on where it may serve as a base (`bases.ts`): the commit that tells of the backup makes it the
 * base of the volume, in place of the one before, so that a backup that fails leaves that one.
 *
 * If it fails the row says `error` and why, the volume is what it was before, nothing stays on the backend, and what is in the store is
 * to be removed, by a record (`remove-remains.ts`): the store may be away for long. Where it was the store's fault that stays for some days
 * (`kept-work.ts`), and an operator may have the backup begun again, of what the volume holds then: what was stored counts where that is the
 * same.
 */

import type { BackupSource } from '../../backups/backups.ts';
import { standing as standingBites } from '../../backups/bites.ts';
import { giveUpBase } from '../../db/backup-bases.ts';
import { damagedPacks } from '../../db/backup-checks.ts';
import { giveUpContent, keepContent, keepForRetry } from '../../db/backup-contents.ts';
import { knowStore } from '../../db/backup-scopes.ts';
import { bitesOf, endWork } from '../../db/backup-work.ts';
import { findBackup, getBackup, updateBackup } from '../../db/backups.ts';
import { findSnapshot, updateSnapshot } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { findVolume, updateVolume } from '../../db/volumes.ts';
import type { DriverCall, RawSource, SnapshotRef, VolumeRef } from '../../drivers/driver.ts';
import { GIB } from '../../lib/bytes.ts';
import { BACKUP_TRANSITIONS } from '../../model/backup-status.ts';
import type { BackupWay, WhyAllRead } from '../../model/backup-way.ts';
import { BackupStoreRefused } from '../../model/errors.ts';
import { SNAPSHOT_TRANSITIONS, VOLUME_TRANSITIONS } from '../../model/status.ts';
import { noteForUser, tellBackup, tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record, type Tools, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';
import { withRoom } from '../volumes/with-room.ts';
import { attemptCopy, byTry } from './attempt-copy.ts';
import { placeOf } from './backup-place.ts';
import { type Base, baseFor, swapBase } from './bases.ts';
import { failReason } from './fail-reason.ts';
import { isOfTheStore } from './kept-work.ts';
import { outliving } from './outlive.ts';
import { patiently, WAITS, type WaitingCall } from './store-patience.ts';

export interface CreateBackup {
  readonly backupId: string;
  readonly volumeRef: VolumeRef;
  /** Null: of the volume as it is. */
  readonly snapshotRef: SnapshotRef | null;
  readonly pool: string;
  /** The backup to which this one points where it is equal; null: it stores all. */
  readonly parentId: string | null;
  /** Of so many attempts, the first, what they have stored is of earlier tries. Not there: of none. */
  readonly earlierAttempts?: number;
}

const ErrorOut = obligation({
  name: 'error_out',
  revert: async (input: CreateBackup, _outcome, { tx, failures, ...context }) => {
    await giveSourceBack(tx, input, 'failure');
    const backup = await findBackup(tx.db, input.backupId);
    if (backup === undefined) return;
    const reason = failReason(failures[0], 'create-backup', { bites: await bitesOf(tx.db, backup.id), backup });
    if (isOfTheStore(failures[0])) await keepForRetry(tx, backup.id);
    else if (backup.scopeId !== null) await giveUpContent(tx, backup.id, backup.scopeId);
    await updateBackup(tx, backup.id, { status: BACKUP_TRANSITIONS.create.failure, failReason: reason });
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

const FindBase = record({
  name: 'find_base',
  execute: async ({ volumeRef, pool, parentId }: CreateBackup, { tx }): Promise<{ base: Base }> => ({
    base: await baseFor(tx.db, { volumeId: volumeRef.id, pool, parentId }),
  }),
});

const CopyToStore = world({
  name: 'copy_to_store',
  ...WAITS,
  execute: async (input: CreateBackup & { base: Base }, call) => ({
    copied: await copyToStore(input, input.base, call),
  }),
});

const CopyToStoreV1 = world({
  name: 'copy_to_store',
  ...WAITS,
  execute: async (input: CreateBackup, call) => ({
    copied: await copyToStore(input, { backupId: null, why: null }, call),
  }),
});

/** From here on it can be restored, by whoever has the store. Of packs that no attempt has told of nothing stays. */
const WriteManifest = world({
  name: 'write_manifest',
  ...WAITS,
  execute: async (input: CreateBackup & { copied: Copied }, call) => {
    const { backupId, volumeRef, snapshotRef, parentId, copied } = input;
    const { db } = call.tools.backups;
    const ground = await call.tools.backups.ground();
    const backup = await getBackup(db.read, backupId);
    const placed = await placeOf(call.tools.backups, backup);
    const { place } = placed;
    const all = await bitesOf(db.read, backupId);
    const order = {
      place,
      parentId,
      bytes: (snapshotRef ?? volumeRef).sizeGiB * GIB,
      ...byTry(all, input.earlierAttempts),
      createdAt: backup.createdAt,
      metadata: { volume_id: backup.volumeId, size: backup.sizeGiB, image_metadata: backup.imageMetadata },
    };
    const { root, packs: named } = await patiently(placed, call, () => ground.writeManifest(order, call.signal));
    // The manifest is made of those that stand, and may have to be made again. It need not name all of them: one may hold nothing but zeroes.
    const standing = standingBites(order.bites).map(({ pack }) => pack);
    const packs = new Set([...named.map(({ name }) => name), ...standing]);
    const { way, why } = copied;
    const content = { backupId, scopeId: place.scope, root, packs: [...packs], way };
    await db.write((tx) => keepContent(tx, { ...content, ...(why && { why }) }));
    await patiently(placed, call, () => ground.deleteUnrecorded(place, copied.attempt, all, call.signal));
    const useless = all.map(({ pack }) => pack).filter((pack) => !packs.has(pack));
    await patiently(placed, call, () => ground.deletePacks(place, useless, call.signal));
    return { objectCount: all.length - useless.length };
  },
});

const DropSource = world({
  name: 'drop_source',
  execute: async ({ backupId, volumeRef, pool }: CreateBackup, call) =>
    call.tools.driver(pool).dropForBackup(backupId, volumeRef, call),
});

/** Where to keep it on would cost more than what the volume changes, it goes now. */
const DropUnlessBase = world({
  name: 'drop_unless_base',
  execute: async ({ backupId, volumeRef, pool }: CreateBackup, call): Promise<{ isBase: boolean }> => {
    const driver = call.tools.driver(pool);
    const isBase = driver.capabilities.backupBases;
    if (isBase) await driver.closeVolume(volumeRef, call.signal);
    else await driver.dropForBackup(backupId, volumeRef, call);
    return { isBase };
  },
});

const CreateBackupOnFinish = record({
  name: 'create_backup_on_finish;swap_base;create.end',
  execute: async (
    input: CreateBackup & { objectCount: number; isBase: boolean; copied: Copied },
    { tx, ...context },
  ) => {
    const { backupId, volumeRef, pool, isBase, copied } = input;
    await finish(tx, input, context.requestId);
    if (copied.why === 'distrusted')
      await noteForUser(tx, 'create-backup', 'allWasRead', await getBackup(tx.db, backupId), context);
    if (isBase) await swapBase(tx, backupId, { volume: { id: volumeRef.id, nameId: volumeRef.nameId ?? null }, pool });
  },
});

const CreateBackupOnFinishV1 = record({
  name: 'create_backup_on_finish;create.end',
  execute: async (input: CreateBackup & { objectCount: number }, { tx, requestId }) => finish(tx, input, requestId),
});

export const createBackup = flow<CreateBackup>('create_backup')
  .add(ErrorOut)
  .lane(onHostOf)
  .add(NotifyBackupAction)
  .add(KeepSource)
  .add(FindBase)
  .add(CopyToStore)
  .add(WriteManifest)
  .add(DropUnlessBase)
  .add(CreateBackupOnFinish)
  .build({ version: 2 });

/** Read all of a volume, and kept nothing of it. */
export const createBackupV1 = flow<CreateBackup>('create_backup')
  .add(ErrorOut)
  .lane(onHostOf)
  .add(NotifyBackupAction)
  .add(KeepSource)
  .add(CopyToStoreV1)
  .add(WriteManifest)
  .add(DropSource)
  .add(CreateBackupOnFinishV1)
  .build({ version: 1 });

type Call = DriverCall & WaitingCall & { readonly requestId: string; readonly tools: Tools };

interface Copied {
  readonly way: BackupWay;
  /** Not in journals of version 1. */
  readonly why?: WhyAllRead | null;
  readonly storedBytes: number;
  readonly attempt: number;
}

async function copyToStore(input: CreateBackup, { backupId: baseId, why }: Base, call: Call): Promise<Copied> {
  const { backupId, volumeRef, pool, parentId, earlierAttempts } = input;
  const { db, log, turns } = call.tools.backups;
  const ground = await call.tools.backups.ground();
  const placed = await placeOf(call.tools.backups, await getBackup(db.read, backupId));
  const { place, keyId } = placed;
  const source = await keptSource(input, call);
  const base = baseId === null ? null : await call.tools.driver(pool).changedSince(volumeRef, baseId, backupId, call);
  const storeId = await patiently(placed, call, () => ground.openScope(place, keyId, call.signal));
  if (!(await db.write((tx) => knowStore(tx, place.scope, storeId))))
    throw new BackupStoreRefused(`Another store is in the place of the one that has scope ${place.scope}.`);
  const wanted = {
    parentId,
    earlierAttempts,
    source: sourceAt(source),
    changed: base?.changed ?? null,
    base: base && sourceAt(base),
    damaged: await damagedPacks(db.read, place.scope),
  };
  const { way, storedBytes, distrusted, attempt } = await turns.run('backup', call, () =>
    outliving((reached) => attemptCopy(placed, wanted, reached, call)),
  );
  if (distrusted && baseId !== null) {
    const facts = { backup_id: backupId, volume_id: volumeRef.id, pool, base: baseId };
    log.warn(facts, 'more of a volume had changed than its backend told; all of it was read');
    await db.write((tx) => giveUpBase(tx, baseId));
  }
  const untold = base === null ? 'no_base' : 'untold';
  const reason = way !== 'digests' ? null : distrusted ? 'distrusted' : (why ?? untold);
  return { way, why: reason, storedBytes, attempt };
}

const sourceAt = ({ path, bytes }: RawSource): BackupSource => ({ uri: `file:${path}`, bytes });

async function finish(
  tx: Tx,
  input: CreateBackup & { readonly objectCount: number },
  requestId: string,
): Promise<void> {
  const { backupId, objectCount } = input;
  await endWork(tx, backupId);
  await giveSourceBack(tx, input, 'success');
  await updateBackup(tx, backupId, { status: BACKUP_TRANSITIONS.create.success, objectCount });
  await tellBackup(tx, 'create.end', await getBackup(tx.db, backupId), requestId);
}

/** The same each time that it is asked. */
function keptSource({ backupId, volumeRef, snapshotRef, pool }: CreateBackup, call: Call): Promise<RawSource> {
  const of = snapshotRef === null ? { volume: volumeRef } : { snapshot: snapshotRef };
  return withRoom(pool, volumeRef.id, call, (driver) => driver.keepForBackup(backupId, of, call));
}

/** What it was made from is what it was before; whatever else it has become meanwhile, it stays. */
async function giveSourceBack(
  tx: Tx,
  { volumeRef, snapshotRef }: CreateBackup,
  end: 'success' | 'failure',
): Promise<void> {
  if (snapshotRef !== null) {
    const snapshot = await findSnapshot(tx.db, snapshotRef.id);
    if (snapshot?.status === SNAPSHOT_TRANSITIONS.backup.during[0])
      await updateSnapshot(tx, snapshot.id, { status: SNAPSHOT_TRANSITIONS.backup[end] });
    return;
  }
  const volume = await findVolume(tx.db, volumeRef.id);
  if (volume?.status !== VOLUME_TRANSITIONS.backup.during[0]) return;
  await updateVolume(tx, volume.id, { status: volume.previousStatus ?? 'available', previousStatus: null });
}
