/** `os-reserve` and `os-unreserve`: a client is about to attach, or has thought better of it. */
import { moveVolumeStatus } from '../db/volumes.ts';
import { attachableFrom } from '../model/attachment.ts';
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
    const { status, attachStatus } = await lockVolume(tx, caller, id);
    const to = attachStatus === 'attached' ? 'in-use' : 'available';
    if (!(await moveVolumeStatus(tx, id, { from: ['attaching'], to })))
      throw new InvalidVolume(`Volume ${id} must be attaching to be unreserved; it is ${status}.`);
  });
}
