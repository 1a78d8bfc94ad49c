/** `POST /qos-specs`. */
import { isDuplicate } from '../db/constraints.ts';
import { insertQosSpecs } from '../db/qos-specs.ts';
import { tell } from '../flows/tell.ts';
import { uuid } from '../lib/clock.ts';
import type { Caller } from '../model/caller.ts';
import { QosSpecsExist } from '../model/errors.ts';
import type { NewQosSpecs, QosSpecs } from '../model/qos-specs.ts';
import type { Desk } from './desk.ts';
import { qosSpecsEvent } from './qos-specs-event.ts';

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
