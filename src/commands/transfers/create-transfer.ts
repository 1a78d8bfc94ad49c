/** `POST /volume-transfers`: offers a volume, with its snapshots, to whoever has the key. */
import { snapshotsOf } from '../../db/snapshots.ts';
import { insertTransfer, type Transfer } from '../../db/transfers.ts';
import { getVolume, moveVolumeStatus } from '../../db/volumes.ts';
import { tellVolume } from '../../flows/tell.ts';
import { newAuthKey } from '../../model/auth-key.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidSnapshot, InvalidVolume } from '../../model/errors.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { Volume } from '../../model/volume.ts';
import { checkSnapshotStatus, refusedVolume } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { refuseMigratingOrMember } from '../volumes/migrating.ts';

export interface CreateTransferRequest {
  readonly volumeId: string;
  readonly name: string | null;
  readonly noSnapshots: boolean;
  readonly encryptedAllowed: boolean;
}

export async function createTransfer(
  { db }: Pick<Desk, 'db'>,
  caller: Caller,
  { volumeId, name, noSnapshots, encryptedAllowed }: CreateTransferRequest,
): Promise<{ readonly transfer: Transfer; readonly authKey: string }> {
  return db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, volumeId);
    checkVolume(volume, encryptedAllowed);
    if (!noSnapshots) checkSnapshots(await snapshotsOf(tx.db, volumeId));
    await tellVolume(tx, 'transfer.create.start', volume, caller.requestId);
    if (!(await moveVolumeStatus(tx, volumeId, 'transfer', { withoutExports: true })))
      throw refusedVolume(volume, 'transfer');
    const { authKey, kept } = newAuthKey();
    const transfer = await insertTransfer(tx, { volumeId, name, noSnapshots, projectId: volume.projectId, kept });
    await tellVolume(tx, 'transfer.create.end', await getVolume(tx.db, volumeId), caller.requestId);
    return { transfer, authKey };
  });
}

function checkVolume(volume: Volume, encryptedAllowed: boolean): void {
  refuseMigratingOrMember(volume, 'transferred');
  if (volume.encryptionKeyId !== null && !encryptedAllowed)
    throw new InvalidVolume(`Volume ${volume.id} is encrypted; that can be transferred from version 3.70 on.`);
}

/** They go with it, so nothing may be at work on them; and a group snapshot would be left with parts of another project. */
export function checkSnapshots(snapshots: readonly Snapshot[]): void {
  for (const snapshot of snapshots) {
    checkSnapshotStatus(snapshot, 'transfer');
    if (snapshot.groupSnapshotId === null) continue;
    throw new InvalidSnapshot(
      `Snapshot ${snapshot.id} is a part of group snapshot ${snapshot.groupSnapshotId}: transfer the volume without its snapshots, or delete the group snapshot first.`,
    );
  }
}
