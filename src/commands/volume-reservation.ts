/** `os-reserve` and `os-unreserve`: a client is about to attach a volume, or has thought better of it. */
import { attachmentsOf } from '../db/attachments.ts';
import { moveVolumeStatus } from '../db/volumes.ts';
import { attachableFrom, statusWith } from '../model/attachment.ts';
import type { Caller } from '../model/caller.ts';
import { InvalidVolume } from '../model/errors.ts';
import type { Desk } from './desk.ts';
import { lockVolume } from './lock.ts';

export async function reserveVolume({ db }: Desk, caller: Caller, id: string): Promise<void> {
  await db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    const from = attachableFrom(volume);
    if (!(await moveVolumeStatus(tx, id, { from, to: 'attaching' })))
      throw new InvalidVolume(`Volume ${id} must be ${from.join(' or ')} to be reserved; it is ${volume.status}.`);
  });
}

export async function unreserveVolume({ db }: Desk, caller: Caller, id: string): Promise<void> {
  await db.write(async (tx) => {
    const { status } = await lockVolume(tx, caller, id);
    // It was another client's word, perhaps: what is attached, or being attached, stays so.
    const to = statusWith(await attachmentsOf(tx.db, id));
    if (!(await moveVolumeStatus(tx, id, { from: ['attaching'], to })))
      throw new InvalidVolume(`Volume ${id} must be attaching to be unreserved; it is ${status}.`);
  });
}
