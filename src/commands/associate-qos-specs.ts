/** `qos-specs/{id}/associate`, `disassociate`, `disassociate_all`: which volume types have QoS specs. A type has at most one. */
import { takeQosSpecsFromTypes } from '../db/qos-specs.ts';
import { updateVolumeType } from '../db/volume-types.ts';
import { tell } from '../flows/tell.ts';
import type { Caller } from '../model/caller.ts';
import { InvalidVolumeType } from '../model/errors.ts';
import type { Desk } from './desk.ts';
import { lockQosSpecs, lockVolumeType } from './lock.ts';
import { qosSpecsEvent } from './qos-specs-event.ts';

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
