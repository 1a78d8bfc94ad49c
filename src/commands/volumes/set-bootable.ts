/** `os-set_bootable`. */
import { updateVolume } from '../../db/volumes.ts';
import type { Caller } from '../../model/caller.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';

export async function setBootable({ db }: Desk, caller: Caller, id: string, bootable: boolean): Promise<void> {
  await db.write(async (tx) => {
    await lockVolume(tx, caller, id);
    await updateVolume(tx, id, { bootable });
  });
}
