/** `DELETE /volume-transfers/{id}`: the offer is taken back. */
import { deleteTransferRow } from '../../db/transfers.ts';
import { getVolume, moveVolumeStatus } from '../../db/volumes.ts';
import { tellVolume } from '../../flows/tell.ts';
import type { Caller } from '../../model/caller.ts';
import { TransferNotFound } from '../../model/errors.ts';
import type { Desk } from '../desk.ts';
import { transferFor } from '../find.ts';
import { lockAnyVolume } from '../lock.ts';

export async function deleteTransfer({ db }: Pick<Desk, 'db'>, caller: Caller, id: string): Promise<void> {
  await db.write(async (tx) => {
    const { volumeId } = await transferFor(tx.db, caller, id);
    const volume = await lockAnyVolume(tx, volumeId);
    if (!(await deleteTransferRow(tx, id))) throw new TransferNotFound(id);
    await tellVolume(tx, 'transfer.delete.start', volume, caller.requestId);
    // Whatever else an administrator has made of it, or is done to it by force, stays as it is.
    await moveVolumeStatus(tx, volumeId, 'transfer_delete');
    await tellVolume(tx, 'transfer.delete.end', await getVolume(tx.db, volumeId), caller.requestId);
  });
}
