/** Volume types: made, changed and deleted. What else is said of one (specs, encryption, access, whose default) is beside. */

import { isDefaultOfProject } from '../../db/default-types.ts';
import { isOfGroup } from '../../db/groups.ts';
import { dropTypeResources, renameTypeResources } from '../../db/quota-limits.ts';
import { isDuplicate, isReferenced } from '../../db/sql/constraints.ts';
import {
  deleteVolumeTypeRow,
  getVolumeType,
  insertVolumeType,
  updateVolumeType as updateRow,
} from '../../db/volume-types.ts';
import { volumeTypeEvent } from '../../events/volume-type-notifications.ts';
import { tell } from '../../flows/tell.ts';
import { uuid } from '../../lib/clock.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolumeType, VolumeTypeExists, VolumeTypeInUse } from '../../model/errors.ts';
import {
  DEFAULT_VOLUME_TYPE,
  type NewVolumeType,
  type VolumeType,
  type VolumeTypePatch,
} from '../../model/volume-type.ts';
import type { Desk } from '../desk.ts';
import { lockVolumeType } from '../lock.ts';
import { checkExtraSpecs } from './set-extra-specs.ts';

export type CreateVolumeTypeRequest = Required<Pick<NewVolumeType, 'name' | 'description' | 'isPublic' | 'extraSpecs'>>;

/** `POST /types`. */
export async function createVolumeType(
  { db }: Desk,
  caller: Caller,
  request: CreateVolumeTypeRequest,
): Promise<VolumeType> {
  checkExtraSpecs(request.extraSpecs);
  try {
    return await db.write(async (tx) => {
      const type = await insertVolumeType(tx, { id: uuid(), ...request });
      await tell(tx, volumeTypeEvent('create', type, caller));
      return type;
    });
  } catch (error) {
    if (isDuplicate(error)) throw new VolumeTypeExists(`Volume type ${request.name} exists already.`, { cause: error });
    throw error;
  }
}

export type UpdateVolumeTypePatch = Pick<VolumeTypePatch, 'name' | 'description' | 'isPublic'>;

/** `PUT /types/{id}`. The usage and limits under the type's name move with it to a new name. */
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

/** `DELETE /types/{id}`. */
export async function deleteVolumeType({ db, config }: Desk, caller: Caller, id: string): Promise<void> {
  try {
    await db.write(async (tx) => {
      const type = await lockVolumeType(tx, id);
      if (type.name === DEFAULT_VOLUME_TYPE || type.name === config.default_volume_type)
        throw new InvalidVolumeType(`Volume type ${type.name} is the default and cannot be deleted.`);
      if (await isDefaultOfProject(tx.db, id))
        throw new InvalidVolumeType(`Volume type ${type.name} is the default of a project and cannot be deleted.`);
      if (await isOfGroup(tx.db, id)) throw new VolumeTypeInUse(`Volume type ${id} is that of a group.`);
      await deleteVolumeTypeRow(tx, id);
      await dropTypeResources(tx, type.name);
      await tell(tx, volumeTypeEvent('delete', type, caller));
    });
  } catch (error) {
    if (isReferenced(error)) throw new VolumeTypeInUse(`Volume type ${id} is still in use.`, { cause: error });
    throw error;
  }
}
