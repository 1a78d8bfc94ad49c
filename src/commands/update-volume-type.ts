/** `PUT /types/{id}`. The usage and limits under the type's name move with it to a new name. */
import { isDuplicate } from '../db/constraints.ts';
import { renameTypeResources } from '../db/quota-limits.ts';
import { getVolumeType, updateVolumeType as updateRow } from '../db/volume-types.ts';
import { volumeTypeEvent } from '../events/volume-type-notifications.ts';
import { tell } from '../flows/tell.ts';
import type { Caller } from '../model/caller.ts';
import { InvalidVolumeType, VolumeTypeExists } from '../model/errors.ts';
import { DEFAULT_VOLUME_TYPE, type VolumeType, type VolumeTypePatch } from '../model/volume-type.ts';
import type { Desk } from './desk.ts';
import { lockVolumeType } from './lock.ts';

export type UpdateVolumeTypePatch = Pick<VolumeTypePatch, 'name' | 'description' | 'isPublic'>;

export async function updateVolumeType(
  { db }: Desk,
  caller: Caller,
  id: string,
  patch: UpdateVolumeTypePatch,
): Promise<VolumeType> {
  try {
    return await db.write(async (tx) => {
      const { name } = await lockVolumeType(tx, id);
      const renamed = patch.name !== undefined && patch.name !== name ? patch.name : undefined;
      // It is found by its name when a volume is made and no type is asked for.
      if (renamed !== undefined && name === DEFAULT_VOLUME_TYPE)
        throw new InvalidVolumeType(`Volume type ${DEFAULT_VOLUME_TYPE} must keep its name.`);
      await updateRow(tx, id, patch);
      if (renamed !== undefined) await renameTypeResources(tx, name, renamed);
      const type = await getVolumeType(tx.db, id);
      await tell(tx, volumeTypeEvent('update', type, caller));
      return type;
    });
  } catch (error) {
    if (isDuplicate(error)) throw new VolumeTypeExists(`Volume type ${patch.name} exists already.`, { cause: error });
    throw error;
  }
}
