/** Access of projects to a private volume type, given and taken, with the notification of it. */
import { addVolumeTypeAccess, removeVolumeTypeAccess } from '../../db/volume-types.ts';
import { adminEvent } from '../../events/admin-notifications.ts';
import { tell } from '../../flows/tell.ts';
import type { Caller } from '../../model/caller.ts';
import { Conflict, InvalidVolumeType, VolumeTypeAccessNotFound } from '../../model/errors.ts';
import type { NewEvent } from '../../model/event.ts';
import type { Desk } from '../desk.ts';
import { lockVolumeType } from '../lock.ts';

/** `addProjectAccess`: a project may see and use a private volume type. */
export async function addTypeAccess({ db }: Desk, caller: Caller, id: string, projectId: string): Promise<void> {
  await db.write(async (tx) => {
    const { isPublic, name } = await lockVolumeType(tx, id);
    if (isPublic) throw new InvalidVolumeType(`Volume type ${name} is public; every project has access to it.`);
    if (!(await addVolumeTypeAccess(tx, id, projectId)))
      throw new Conflict(`Project ${projectId} has access to volume type ${name} already.`);
    await tell(tx, typeAccessEvent('add', id, projectId, caller));
  });
}

/** `removeProjectAccess`: a project may no longer see and use a private volume type. Volumes it has of it stay. */
export async function removeTypeAccess({ db }: Desk, caller: Caller, id: string, projectId: string): Promise<void> {
  await db.write(async (tx) => {
    const { isPublic, name } = await lockVolumeType(tx, id);
    if (isPublic) throw new InvalidVolumeType(`Volume type ${name} is public; every project has access to it.`);
    if (!(await removeVolumeTypeAccess(tx, id, projectId)))
      throw new VolumeTypeAccessNotFound(`Project ${projectId} has no access to volume type ${name}.`);
    await tell(tx, typeAccessEvent('remove', id, projectId, caller));
  });
}

function typeAccessEvent(change: 'add' | 'remove', typeId: string, projectId: string, caller: Caller): NewEvent {
  const told = {
    resource: `volume_type:${typeId}`,
    eventType: `volume_type_project.access.${change}`,
    publisherId: 'volumeTypeProject',
    payload: { volume_type_id: typeId, project_id: projectId },
  } as const;
  return adminEvent(told, caller);
}
