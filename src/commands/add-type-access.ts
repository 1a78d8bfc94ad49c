/** `addProjectAccess`: a project may see and use a private volume type. */
import { addVolumeTypeAccess } from '../db/volume-types.ts';
import { tell } from '../flows/tell.ts';
import type { Caller } from '../model/caller.ts';
import { Conflict, InvalidVolumeType } from '../model/errors.ts';
import type { Desk } from './desk.ts';
import { lockVolumeType } from './lock.ts';
import { typeAccessEvent } from './type-access-event.ts';

export async function addTypeAccess({ db }: Desk, caller: Caller, id: string, projectId: string): Promise<void> {
  await db.write(async (tx) => {
    const { isPublic, name } = await lockVolumeType(tx, id);
    if (isPublic) throw new InvalidVolumeType(`Volume type ${name} is public; every project has access to it.`);
    if (!(await addVolumeTypeAccess(tx, id, projectId)))
      throw new Conflict(`Project ${projectId} has access to volume type ${name} already.`);
    await tell(tx, typeAccessEvent('add', id, projectId, caller));
  });
}
