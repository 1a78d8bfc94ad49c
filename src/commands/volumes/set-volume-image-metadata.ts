/** `os-set_image_metadata`, `os-unset_image_metadata`: what a volume remembers of its image. Resolves with all of it. */
import { updateVolume } from '../../db/volumes.ts';
import type { Caller } from '../../model/caller.ts';
import type { Metadata } from '../../model/volume.ts';
import { changedMetadata, type MetadataChange } from '../change-metadata.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { refuseInMaintenance } from './update-volume.ts';

export async function setVolumeImageMetadata(
  { db }: Desk,
  caller: Caller,
  id: string,
  change: MetadataChange,
): Promise<Metadata> {
  return db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    refuseInMaintenance(volume);
    const imageMetadata = changedMetadata(volume.imageMetadata ?? {}, change);
    const isEmpty = Object.keys(imageMetadata).length === 0;
    await updateVolume(tx, id, { imageMetadata: isEmpty ? null : imageMetadata });
    return imageMetadata;
  });
}
