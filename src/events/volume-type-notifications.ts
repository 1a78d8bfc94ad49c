/** Events of volume types, as other programs of OpenStack know them. */
import { uuid } from '../lib/clock.ts';
import type { Caller } from '../model/caller.ts';
import type { NewEvent } from '../model/event.ts';
import type { VolumeType } from '../model/volume-type.ts';

/** Types belong to nobody, so the event is told as the caller's. */
export function volumeTypeEvent(
  suffix: 'create' | 'update' | 'delete',
  type: VolumeType,
  { projectId, userId, requestId }: Caller,
): NewEvent {
  return {
    messageId: uuid(),
    resource: `volume_type:${type.id}`,
    eventType: `volume_type.${suffix}`,
    priority: 'INFO',
    publisherId: 'volumeType',
    payload: JSON.stringify({
      volume_types: {
        id: type.id,
        name: type.name,
        description: type.description,
        is_public: type.isPublic,
        extra_specs: type.extraSpecs,
        qos_specs_id: type.qosSpecsId,
        created_at: type.createdAt,
        updated_at: type.updatedAt,
      },
    }),
    projectId,
    userId,
    requestId,
  };
}
