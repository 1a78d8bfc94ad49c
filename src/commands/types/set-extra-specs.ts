/** The extra specs of a volume type. They say where and how its volumes are made, so they stay as long as there are any. */
import { isVolumeTypeInUse, updateVolumeType } from '../../db/volume-types.ts';
import { adminEvent } from '../../events/admin-notifications.ts';
import { tell } from '../../flows/tell.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolumeType, MetadataKeyNotFound, VolumeTypeInUse } from '../../model/errors.ts';
import type { VolumeType } from '../../model/volume-type.ts';
import { changedMetadata, type MetadataChange, verbOf } from '../change-metadata.ts';
import type { Desk } from '../desk.ts';
import { lockVolumeType } from '../lock.ts';

type ExtraSpecs = VolumeType['extraSpecs'];

/** Returns what the type has afterwards. */
export async function setExtraSpecs(
  { db }: Desk,
  caller: Caller,
  id: string,
  change: MetadataChange<string | null>,
): Promise<ExtraSpecs> {
  return db.write(async (tx) => {
    const { extraSpecs: current, name } = await lockVolumeType(tx, id);
    if (await isVolumeTypeInUse(tx.db, id))
      throw new VolumeTypeInUse(`Volume type ${name} is in use; its extra specs cannot be changed.`);
    if (change.is === 'remove' && !Object.hasOwn(current, change.key))
      throw new MetadataKeyNotFound(`Volume type ${name} has no extra spec ${change.key}.`);
    const extraSpecs = changedMetadata(current, change);
    checkExtraSpecs(extraSpecs);
    await updateVolumeType(tx, id, { extraSpecs });
    const told = {
      resource: `volume_type:${id}`,
      eventType: `volume_type_extra_specs.${verbOf(current, change)}`,
      publisherId: 'volumeTypeExtraSpecs',
      payload: { type_id: id, ...(change.is === 'remove' ? { id: change.key } : { specs: change.metadata }) },
    } as const;
    await tell(tx, adminEvent(told, caller));
    return extraSpecs;
  });
}

/** What is cached for one server cannot be written by several. */
export function checkExtraSpecs({ multiattach, cacheable }: ExtraSpecs): void {
  if (multiattach === '<is> True' && cacheable === '<is> True')
    throw new InvalidVolumeType('A volume type cannot be both cacheable and multiattach.');
}
