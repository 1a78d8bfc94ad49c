/** QoS specs: made, changed, deleted, and which volume types have them (a type has at most one), with the notification of each change. */

import {
  deleteQosSpecsRow,
  getQosSpecs,
  insertQosSpecs,
  takeQosSpecsFromTypes,
  typesOfQosSpecs,
  updateQosSpecs as updateRow,
} from '../../db/qos-specs.ts';
import { isDuplicate } from '../../db/sql/constraints.ts';
import { updateVolumeType } from '../../db/volume-types.ts';
import { type AdminChange, adminEvent } from '../../events/admin-notifications.ts';
import { tell } from '../../flows/tell.ts';
import { uuid } from '../../lib/clock.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolumeType, QosSpecsExist, QosSpecsInUse, QosSpecsKeyNotFound } from '../../model/errors.ts';
import type { NewEvent } from '../../model/event.ts';
import type { NewQosSpecs, QosSpecs, QosSpecsPatch } from '../../model/qos-specs.ts';
import type { Desk } from '../desk.ts';
import { lockQosSpecs, lockVolumeType } from '../lock.ts';

/** `POST /qos-specs`. */
export async function createQosSpecs(
  { db }: Desk,
  caller: Caller,
  request: Omit<NewQosSpecs, 'id'>,
): Promise<QosSpecs> {
  try {
    return await db.write(async (tx) => {
      const made = await insertQosSpecs(tx, { id: uuid(), ...request });
      await tell(tx, qosSpecsEvent('create', made, caller));
      return made;
    });
  } catch (error) {
    if (isDuplicate(error)) throw new QosSpecsExist(`QoS specs ${request.name} exist already.`, { cause: error });
    throw error;
  }
}

/** `PUT /qos-specs/{id}`: the specs of the patch are added to what is there. Volumes feel it when they are attached the next time. */
export async function updateQosSpecs(
  { db }: Desk,
  caller: Caller,
  id: string,
  { specs: added, ...patch }: QosSpecsPatch,
): Promise<QosSpecs> {
  return db.write(async (tx) => {
    const { specs } = await lockQosSpecs(tx, id);
    await updateRow(tx, id, { ...patch, specs: { ...specs, ...added } });
    const updated = await getQosSpecs(tx.db, id);
    await tell(tx, qosSpecsEvent('update', updated, caller));
    return updated;
  });
}

/** `PUT /qos-specs/{id}/delete_keys`: all of the keys, or none when one is missing. */
export async function deleteQosKeys({ db }: Desk, caller: Caller, id: string, keys: readonly string[]): Promise<void> {
  await db.write(async (tx) => {
    const { name, specs } = await lockQosSpecs(tx, id);
    const missing = keys.find((key) => !Object.hasOwn(specs, key));
    if (missing !== undefined) throw new QosSpecsKeyNotFound(`QoS specs ${name} have no spec ${missing}.`);
    const kept = Object.entries(specs).filter(([key]) => !keys.includes(key));
    await updateRow(tx, id, { specs: Object.fromEntries(kept) });
    await tell(tx, qosSpecsEvent('delete_keys', await getQosSpecs(tx.db, id), caller));
  });
}

/** `qos-specs/{id}/associate`, `disassociate`, `disassociate_all`: which volume types have QoS specs. A type has at most one. */
export async function associateQosSpecs({ db }: Desk, caller: Caller, id: string, typeId: string): Promise<void> {
  await db.write(async (tx) => {
    const specs = await lockQosSpecs(tx, id);
    const type = await lockVolumeType(tx, typeId);
    if (type.qosSpecsId === id) return;
    if (type.qosSpecsId !== null)
      throw new InvalidVolumeType(`Volume type ${type.name} has other QoS specs already: ${type.qosSpecsId}.`);
    await updateVolumeType(tx, typeId, { qosSpecsId: id });
    await tell(tx, qosSpecsEvent('associate', specs, caller, { type_id: typeId }));
  });
}

/** From a type that has others, or none, nothing is taken. */
export async function disassociateQosSpecs({ db }: Desk, caller: Caller, id: string, typeId: string): Promise<void> {
  await db.write(async (tx) => {
    const specs = await lockQosSpecs(tx, id);
    await lockVolumeType(tx, typeId);
    await takeQosSpecsFromTypes(tx, id, typeId);
    await tell(tx, qosSpecsEvent('disassociate', specs, caller, { type_id: typeId }));
  });
}

export async function disassociateQosSpecsFromAll({ db }: Desk, caller: Caller, id: string): Promise<void> {
  await db.write(async (tx) => {
    const specs = await lockQosSpecs(tx, id);
    await takeQosSpecsFromTypes(tx, id);
    await tell(tx, qosSpecsEvent('disassociate_all', specs, caller));
  });
}

/** `DELETE /qos-specs/{id}`. By force they are taken from the volume types that have them. */
export async function deleteQosSpecs(
  { db }: Desk,
  caller: Caller,
  id: string,
  { force }: { readonly force: boolean },
): Promise<void> {
  await db.write(async (tx) => {
    const found = await lockQosSpecs(tx, id);
    const types = await typesOfQosSpecs(tx.db, id);
    if (types.length > 0) {
      const names = types.map(({ name }) => name).join(', ');
      if (!force) throw new QosSpecsInUse(`QoS specs ${found.name} are in use by volume types: ${names}.`);
      await takeQosSpecsFromTypes(tx, id);
      await tell(tx, qosSpecsEvent('disassociate_all', found, caller));
    }
    await deleteQosSpecsRow(tx, id);
    await tell(tx, qosSpecsEvent('delete', found, caller));
  });
}

type QosSpecsChange =
  | 'create'
  | 'update'
  | 'delete'
  | 'delete_keys'
  | 'associate'
  | 'disassociate'
  | 'disassociate_all';

function qosSpecsEvent(
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
