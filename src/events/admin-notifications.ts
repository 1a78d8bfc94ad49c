/**
 * Notifications of administrators' changes: QoS specs, group types, the status of groups and of backups, and the encryption, access
 * and specs of volume types.
 */
import { uuid } from '../lib/clock.ts';
import type { Caller } from '../model/caller.ts';
import type { NewEvent } from '../model/event.ts';

export interface AdminChange {
  /** `qos_specs:<id>` */
  readonly resource: string;
  /** `qos_specs.create` */
  readonly eventType: string;
  /** Who tells it, as other programs of OpenStack know it. */
  readonly publisherId:
    | 'QoSSpecs'
    | 'groupType'
    | 'groupStatusUpdate'
    | 'groupSnapshotStatusUpdate'
    | 'backupStatusUpdate'
    | 'volumeTypeEncryption'
    | 'volumeTypeExtraSpecs'
    | 'volumeTypeProject';
  readonly payload: object;
}

/** These things belong to nobody, so the event is told as the caller's. */
export function adminEvent({ payload, ...change }: AdminChange, { projectId, userId, requestId }: Caller): NewEvent {
  return {
    messageId: uuid(),
    ...change,
    priority: 'INFO',
    payload: JSON.stringify(payload),
    projectId,
    userId,
    requestId,
  };
}
