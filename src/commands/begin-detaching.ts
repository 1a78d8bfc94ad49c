/** `os-begin_detaching` and `os-roll_detaching`: a client is about to detach, or could not. */
import { attachmentsOf } from '../db/attachments.ts';
import { moveVolumeStatus } from '../db/volumes.ts';
import { statusWith } from '../model/attachment.ts';
import type { Caller } from '../model/caller.ts';
import { InvalidVolume } from '../model/errors.ts';
import type { Desk } from './desk.ts';
import { lockVolume } from './lock.ts';

export async function beginDetaching({ db }: Desk, caller: Caller, id: string): Promise<void> {
  await db.write(async (tx) => {
    const { status, attachStatus } = await lockVolume(tx, caller, id);
    const attached = [{ is: 'equal', field: 'attachStatus', value: 'attached' }] as const;
    if (!(await moveVolumeStatus(tx, id, { from: ['in-use'], to: 'detaching', if: attached })))
      throw new InvalidVolume(
        `Volume ${id} must be in-use and attached to be detached; it is ${status}, ${attachStatus}.`,
      );
  });
}

export async function rollDetaching({ db }: Desk, caller: Caller, id: string): Promise<void> {
  await db.write(async (tx) => {
    const { status } = await lockVolume(tx, caller, id);
    const to = statusWith(await attachmentsOf(tx.db, id));
    if (!(await moveVolumeStatus(tx, id, { from: ['detaching'], to })))
      throw new InvalidVolume(`Volume ${id} must be detaching to stay attached; it is ${status}.`);
  });
}
