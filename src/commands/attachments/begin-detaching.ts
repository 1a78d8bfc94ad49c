/** `os-begin_detaching` and `os-roll_detaching`: a client is about to detach, or could not. */
import { attachmentsOf } from '../../db/attachments.ts';
import { moveVolumeStatus, updateVolume } from '../../db/volumes.ts';
import { statusWith } from '../../model/attachment.ts';
import type { Caller } from '../../model/caller.ts';
import { checkVolumeStatus, refusedVolume } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { refuseMigrating } from '../volumes/migrating.ts';

export async function beginDetaching({ db }: Desk, caller: Caller, id: string): Promise<void> {
  await db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    refuseMigrating(volume, 'detached');
    const attached = [{ is: 'equal', field: 'attachStatus', value: 'attached' }] as const;
    if (!(await moveVolumeStatus(tx, id, 'begin_detaching', { if: attached })))
      throw refusedVolume(volume, 'begin_detaching');
  });
}

export async function rollDetaching({ db }: Desk, caller: Caller, id: string): Promise<void> {
  await db.write(async (tx) => {
    checkVolumeStatus(await lockVolume(tx, caller, id), 'roll_detaching');
    await updateVolume(tx, id, { status: statusWith(await attachmentsOf(tx.db, id)) });
  });
}
