/** `volumes/{id}/metadata`: merged, replaced, or one key taken away. Resolves with all of it as it is then. */
import { updateVolume } from '../../db/volumes.ts';
import type { Caller } from '../../model/caller.ts';
import type { Metadata } from '../../model/volume.ts';
import { changedMetadata, type MetadataChange, type Unchanged } from '../change-metadata.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { refuseInMaintenance } from './update-volume.ts';

export async function setVolumeMetadata(
  { db }: Desk,
  caller: Caller,
  id: string,
  change: MetadataChange,
  unchanged?: Unchanged,
): Promise<Metadata> {
  return db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    refuseInMaintenance(volume);
    const metadata = changedMetadata(volume.metadata, change, unchanged);
    await updateVolume(tx, id, { metadata });
    return metadata;
  });
}
