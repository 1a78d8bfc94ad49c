/** `os-update_readonly_flag`: kept where administrators see it, as text. A volume that is attached keeps its way. */
import { updateVolume } from '../../db/volumes.ts';
import type { Caller } from '../../model/caller.ts';
import { checkVolumeStatus } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';

export async function setReadonly({ db }: Desk, caller: Caller, id: string, readonly: boolean): Promise<void> {
  await db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    checkVolumeStatus(volume, 'set_readonly');
    const flag = readonly ? 'True' : 'False';
    await updateVolume(tx, id, { adminMetadata: { ...volume.adminMetadata, readonly: flag } });
  });
}
