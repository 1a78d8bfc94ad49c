/** The notification of a change of QoS specs. */
import { type AdminChange, adminEvent } from '../events/admin-notifications.ts';
import type { Caller } from '../model/caller.ts';
import type { NewEvent } from '../model/event.ts';
import type { QosSpecs } from '../model/qos-specs.ts';

type QosSpecsChange =
  | 'create'
  | 'update'
  | 'delete'
  | 'delete_keys'
  | 'associate'
  | 'disassociate'
  | 'disassociate_all';

export function qosSpecsEvent(
  change: QosSpecsChange,
  { id, name, consumer, specs }: QosSpecs,
  caller: Caller,
  more: { readonly type_id?: string } = {},
): NewEvent {
  const told: AdminChange = {
    resource: `qos_specs:${id}`,
    eventType: `qos_specs.${change}`,
    publisherId: 'QoSSpecs',
    payload: { id, name, consumer, specs, ...more },
  };
  return adminEvent(told, caller);
}
