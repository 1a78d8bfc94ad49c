/** The notification of a change of a group type. */
import { adminEvent } from '../events/admin-notifications.ts';
import type { Caller } from '../model/caller.ts';
import type { NewEvent } from '../model/event.ts';
import type { GroupType } from '../model/group-type.ts';

export function groupTypeEvent(
  change: `${'group_type' | 'group_type_specs'}.${'create' | 'update' | 'delete'}`,
  type: GroupType,
  caller: Caller,
): NewEvent {
  const { id, name, description, isPublic, groupSpecs } = type;
  const group_types = { id, name, description, is_public: isPublic, group_specs: groupSpecs };
  return adminEvent(
    { resource: `group_type:${id}`, eventType: change, publisherId: 'groupType', payload: { group_types } },
    caller,
  );
}
