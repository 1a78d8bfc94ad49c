/** `POST /types`. */
import { isDuplicate } from '../db/constraints.ts';
import { insertVolumeType } from '../db/volume-types.ts';
import { volumeTypeEvent } from '../events/volume-type-notifications.ts';
import { tell } from '../flows/tell.ts';
import { uuid } from '../lib/clock.ts';
import type { Caller } from '../model/caller.ts';
import { VolumeTypeExists } from '../model/errors.ts';
import type { NewVolumeType, VolumeType } from '../model/volume-type.ts';
import type { Desk } from './desk.ts';
import { checkExtraSpecs } from './set-extra-specs.ts';

export type CreateVolumeTypeRequest = Required<Pick<NewVolumeType, 'name' | 'description' | 'isPublic' | 'extraSpecs'>>;

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
