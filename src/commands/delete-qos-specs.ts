/** `DELETE /qos-specs/{id}`. By force they are taken from the volume types that have them. */
import { deleteQosSpecsRow, takeQosSpecsFromTypes, typesOfQosSpecs } from '../db/qos-specs.ts';
import { tell } from '../flows/tell.ts';
import type { Caller } from '../model/caller.ts';
import { QosSpecsInUse } from '../model/errors.ts';
import type { Desk } from './desk.ts';
import { lockQosSpecs } from './lock.ts';
import { qosSpecsEvent } from './qos-specs-event.ts';

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
