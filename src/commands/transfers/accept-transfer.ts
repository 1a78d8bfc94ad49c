/**
 * `POST /volume-transfers/{id}/accept`: changes the owner of the volume, and of its snapshots unless they were to stay, to the
 * caller's project.
 *
 * One transaction, and no flow: names on a backend are made of ids alone, so a backend has nothing to do when a project
 * changes, and rows and two projects' quotas change together or not at all. The transfer's row goes in the same
 * transaction, so of two who accept at once one is too late.
 *
 * The change of owner is conditional on the status of the volume and of each snapshot (compare-and-set): one that a flow works
 * on, or that an administrator has reset, is not given away.
 */
import { countQuota } from '../../db/quotas.ts';
import { moveSnapshotStatus, snapshotsOf } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { deleteTransferRow, getTransfer, type Transfer } from '../../db/transfers.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { getVolume, moveVolumeStatus } from '../../db/volumes.ts';
import { checkVolumeSize, take } from '../../flows/quota.ts';
import { tellVolume } from '../../flows/tell.ts';
import type { QuotaConfig } from '../../lib/config/config.ts';
import { opens } from '../../model/auth-key.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidAuthKey, InvalidSnapshot, TransferNotFound } from '../../model/errors.ts';
import { negated, type QuotaDeltas, snapshotQuota, sum, volumeQuota } from '../../model/quota.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { Volume } from '../../model/volume.ts';
import { refusedVolume } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockAnyVolume } from '../lock.ts';
import { checkSnapshots } from './create-transfer.ts';

export async function acceptTransfer(
  desk: Pick<Desk, 'db' | 'config'>,
  caller: Caller,
  id: string,
  authKey: string,
): Promise<Transfer> {
  return desk.db.write(async (tx) => {
    const transfer = await getTransfer(tx.db, id);
    if (!opens(authKey, { salt: transfer.salt, hash: transfer.keyHash, scheme: transfer.keyScheme }))
      throw new InvalidAuthKey(`The key does not open transfer ${id}.`);
    const volume = await lockAnyVolume(tx, transfer.volumeId);
    if (!(await deleteTransferRow(tx, id))) throw new TransferNotFound(id);
    const snapshots = transfer.noSnapshots ? [] : await snapshotsOf(tx.db, volume.id);
    checkSnapshots(snapshots);
    // Cinder bug 1586593: the limit of one volume holds for whoever gets it, as if it had made it.
    if (volume.projectId !== caller.projectId)
      await checkVolumeSize(tx, caller.projectId, volume.sizeGiB, desk.config.quota);
    await tellVolume(tx, 'transfer.accept.start', volume, caller.requestId);
    await moveQuota(
      tx,
      volume.projectId,
      caller.projectId,
      await amounts(tx, volume, snapshots, desk.config.quota),
      desk,
    );
    await giveTo(tx, caller, volume, snapshots);
    await tellVolume(tx, 'transfer.accept.end', await getVolume(tx.db, volume.id), caller.requestId);
    return transfer;
  });
}

async function giveTo(
  tx: Tx,
  { projectId, userId }: Caller,
  volume: Volume,
  snapshots: readonly Snapshot[],
): Promise<void> {
  const set = { projectId, userId };
  if (!(await moveVolumeStatus(tx, volume.id, 'transfer_accept', { withoutExports: true, set })))
    throw refusedVolume(volume, 'transfer_accept');
  for (const snapshot of snapshots) {
    if (!(await moveSnapshotStatus(tx, snapshot.id, 'transfer', { set })))
      throw new InvalidSnapshot(`Snapshot ${snapshot.id} of volume ${volume.id} has changed meanwhile.`);
  }
}

/** What counts of them. */
async function amounts(
  { db }: Tx,
  volume: Volume,
  snapshots: readonly Snapshot[],
  { no_snapshot_gb_quota: exempt }: QuotaConfig,
): Promise<QuotaDeltas> {
  const typeIds = new Set([volume, ...snapshots].map(({ volumeTypeId }) => volumeTypeId));
  const names = new Map<string, string>();
  for (const id of typeIds) names.set(id, (await getVolumeType(db, id)).name);
  const nameOf = ({ volumeTypeId }: Volume | Snapshot): string => names.get(volumeTypeId) ?? '';
  const counted = snapshots.filter(({ usesQuota }) => usesQuota);
  return sum([
    ...(volume.usesQuota ? [volumeQuota(volume.sizeGiB, nameOf(volume))] : []),
    ...counted.map((snapshot) => snapshotQuota(snapshot.volumeSizeGiB, nameOf(snapshot), !exempt)),
  ]);
}

/** Counters in the order of projects, so that two transfers in opposite directions do not wait for each other crosswise. */
async function moveQuota(
  tx: Tx,
  from: string,
  to: string,
  deltas: QuotaDeltas,
  { config }: Pick<Desk, 'config'>,
): Promise<void> {
  if (from === to) return;
  const gives = () => countQuota(tx, from, negated(deltas));
  const takes = () => take(tx, to, deltas, config.quota);
  for (const move of from < to ? [gives, takes] : [takes, gives]) await move();
}
