/** `addProjectAccess`: a project may see and use a private volume type. */
import { addVolumeTypeAccess } from '../db/volume-types.ts';
import { Conflict, InvalidVolumeType } from '../model/errors.ts';
import type { Desk } from './desk.ts';
import { lockVolumeType } from './lock.ts';

export async function addTypeAccess({ db }: Desk, id: string, projectId: string): Promise<void> {
  await db.write(async (tx) => {
    const { isPublic, name } = await lockVolumeType(tx, id);
    if (isPublic) throw new InvalidVolumeType(`Volume type ${name} is public; every project has access to it.`);
    if (!(await addVolumeTypeAccess(tx, id, projectId)))
      throw new Conflict(`Project ${projectId} has access to volume type ${name} already.`);
  });
}
