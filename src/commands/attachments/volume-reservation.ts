/** `os-reserve` and `os-unreserve`: a client is about to attach a volume, or has thought better of it. */
import { attachmentsOf } from '../../db/attachments.ts';
import { moveVolumeStatus, updateVolume } from '../../db/volumes.ts';
import { statusWith } from '../../model/attachment.ts';
import type { Caller } from '../../model/caller.ts';
import { checkVolumeStatus, refusedVolume } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { refuseMigrating } from '../volumes/migrating.ts';

export async function reserveVolume({ db }: Desk, caller: Caller, id: string): Promise<void> {
  await db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    refuseMigrating(volume, 'attached');
    const also = volume.multiattach;
    if (!(await moveVolumeStatus(tx, id, 'reserve', { also }))) throw refusedVolume(volume, 'reserve', also);
  });
}

export async function unreserveVolume({ db }: Desk, caller: Caller, id: string): Promise<void> {
  await db.write(async (tx) => {
    checkVolumeStatus(await lockVolume(tx, caller, id), 'unreserve');
    // It was another client's word, perhaps: what is attached, or being attached, stays so.
    await updateVolume(tx, id, { status: statusWith(await attachmentsOf(tx.db, id)) });
  });
}
