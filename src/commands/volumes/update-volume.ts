/** `PUT /volumes/{id}`: its name, description and metadata. A field that is not in the request stays. */
import { getVolume, updateVolume as updateRow } from '../../db/volumes.ts';
import { tellVolume } from '../../flows/tell.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolume } from '../../model/errors.ts';
import { IN_MAINTENANCE } from '../../model/status.ts';
import type { Metadata, Volume } from '../../model/volume.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';

export interface UpdateVolumePatch {
  readonly name?: string | null;
  readonly description?: string | null;
  /** All of it: what is not in it is gone. */
  readonly metadata?: Metadata;
}

export async function updateVolume(
  { db }: Desk,
  caller: Caller,
  id: string,
  patch: UpdateVolumePatch,
): Promise<Volume> {
  return db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    if (Object.keys(patch).length === 0) return volume;
    refuseInMaintenance(volume);
    await tellVolume(tx, 'update.start', volume, caller.requestId);
    await updateRow(tx, id, patch);
    const updated = await getVolume(tx.db, id);
    await tellVolume(tx, 'update.end', updated, caller.requestId);
    return updated;
  });
}

/** A migration that locked the volume copies it as it is. */
export function refuseInMaintenance({ id, status }: Volume): void {
  if (status === IN_MAINTENANCE) throw new InvalidVolume(`Volume ${id} is in maintenance and cannot be changed.`);
}
