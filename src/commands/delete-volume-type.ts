/** `DELETE /types/{id}`. */
import { isReferenced } from '../db/constraints.ts';
import { isDefaultOfProject } from '../db/default-types.ts';
import { dropTypeResources } from '../db/quota-limits.ts';
import { deleteVolumeTypeRow } from '../db/volume-types.ts';
import { volumeTypeEvent } from '../events/volume-type-notifications.ts';
import { tell } from '../flows/tell.ts';
import type { Caller } from '../model/caller.ts';
import { InvalidVolumeType, VolumeTypeInUse } from '../model/errors.ts';
import { DEFAULT_VOLUME_TYPE } from '../model/volume-type.ts';
import type { Desk } from './desk.ts';
import { lockVolumeType } from './lock.ts';

export async function deleteVolumeType({ db, config }: Desk, caller: Caller, id: string): Promise<void> {
  try {
    await db.write(async (tx) => {
      const type = await lockVolumeType(tx, id);
      if (type.name === DEFAULT_VOLUME_TYPE || type.name === config.default_volume_type)
        throw new InvalidVolumeType(`Volume type ${type.name} is the default and cannot be deleted.`);
      if (await isDefaultOfProject(tx.db, id))
        throw new InvalidVolumeType(`Volume type ${type.name} is the default of a project and cannot be deleted.`);
      await deleteVolumeTypeRow(tx, id);
      await dropTypeResources(tx, type.name);
      await tell(tx, volumeTypeEvent('delete', type, caller));
    });
  } catch (error) {
    if (isReferenced(error)) throw new VolumeTypeInUse(`Volume type ${id} is still in use.`, { cause: error });
    throw error;
  }
}
