/** Encrypted volume types, of which no backend here can make a volume. */
import type { Db } from '../db/sql/db.ts';
import { findTypeEncryption } from '../db/type-encryption.ts';
import { InvalidVolumeType } from '../model/errors.ts';
import type { VolumeType } from '../model/volume-type.ts';

/**
 * No backend here can encrypt, and a volume that is said to be encrypted and is not would be worse than none. Asked after the
 * type was kept (`keepVolumeType`), by the volume's row or before it: from then on nobody gives the type an encryption.
 */
export async function checkNotEncrypted(db: Db, { id, name }: Pick<VolumeType, 'id' | 'name'>): Promise<void> {
  if ((await findTypeEncryption(db, id)) !== undefined)
    throw new InvalidVolumeType(`Volume type ${name} is encrypted, and no backend here can encrypt.`);
}
