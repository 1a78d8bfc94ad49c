/** `removeProjectAccess`: a project may no longer see and use a private volume type. Volumes it has of it stay. */
import { removeVolumeTypeAccess } from '../db/volume-types.ts';
import { tell } from '../flows/tell.ts';
import type { Caller } from '../model/caller.ts';
import { InvalidVolumeType, VolumeTypeAccessNotFound } from '../model/errors.ts';
import type { Desk } from './desk.ts';
import { lockVolumeType } from './lock.ts';
import { typeAccessEvent } from './type-access-event.ts';

export async function removeTypeAccess({ db }: Desk, caller: Caller, id: string, projectId: string): Promise<void> {
  await db.write(async (tx) => {
    const { isPublic, name } = await lockVolumeType(tx, id);
    if (isPublic) throw new InvalidVolumeType(`Volume type ${name} is public; every project has access to it.`);
    if (!(await removeVolumeTypeAccess(tx, id, projectId)))
      throw new VolumeTypeAccessNotFound(`Project ${projectId} has no access to volume type ${name}.`);
    await tell(tx, typeAccessEvent('remove', id, projectId, caller));
  });
}
