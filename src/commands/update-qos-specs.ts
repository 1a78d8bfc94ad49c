/** `PUT /qos-specs/{id}` and `PUT /qos-specs/{id}/delete_keys`. Volumes feel it when they are attached the next time. */
import { getQosSpecs, updateQosSpecs as updateRow } from '../db/qos-specs.ts';
import { tell } from '../flows/tell.ts';
import type { Caller } from '../model/caller.ts';
import { QosSpecsKeyNotFound } from '../model/errors.ts';
import type { QosSpecs, QosSpecsPatch } from '../model/qos-specs.ts';
import type { Desk } from './desk.ts';
import { lockQosSpecs } from './lock.ts';
import { qosSpecsEvent } from './qos-specs-event.ts';

/** The specs of the patch are added to what is there. */
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

/** All of the keys, or none when one is missing. */
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
