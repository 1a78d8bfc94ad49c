/** The notification of a project's access to a private volume type, given or taken. */
import { adminEvent } from '../events/admin-notifications.ts';
import type { Caller } from '../model/caller.ts';
import type { NewEvent } from '../model/event.ts';

export function typeAccessEvent(change: 'add' | 'remove', typeId: string, projectId: string, caller: Caller): NewEvent {
  const told = {
    resource: `volume_type:${typeId}`,
    eventType: `volume_type_project.access.${change}`,
    publisherId: 'volumeTypeProject',
    payload: { volume_type_id: typeId, project_id: projectId },
  } as const;
  return adminEvent(told, caller);
}
