/**
 * Makes, changes and deletes the encryption of a volume type (`types/{id}/encryption`). It says how volumes are made, so it
 * stays as it is as long as the type has any.
 */

import type { Tx } from '../../db/sql/tx.ts';
import {
  deleteTypeEncryption as deleteRow,
  findTypeEncryption,
  insertTypeEncryption,
  updateTypeEncryption as updateRow,
} from '../../db/type-encryption.ts';
import { isVolumeTypeInUse } from '../../db/volume-types.ts';
import { adminEvent } from '../../events/admin-notifications.ts';
import { tell } from '../../flows/tell.ts';
import { uuid } from '../../lib/clock.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolumeType, TypeEncryptionNotFound, VolumeTypeInUse } from '../../model/errors.ts';
import type { NewTypeEncryption, TypeEncryption, TypeEncryptionPatch } from '../../model/type-encryption.ts';
import type { Desk } from '../desk.ts';
import { lockVolumeType } from '../lock.ts';

export type TypeEncryptionRequest = Omit<NewTypeEncryption, 'encryptionId' | 'volumeTypeId'>;

export async function createTypeEncryption(
  { db }: Desk,
  caller: Caller,
  typeId: string,
  request: TypeEncryptionRequest,
): Promise<TypeEncryption> {
  return db.write(async (tx) => {
    const name = await lockUnused(tx, typeId);
    if ((await findTypeEncryption(tx.db, typeId)) !== undefined)
      throw new InvalidVolumeType(`Volume type ${name} has an encryption already.`);
    const made = await insertTypeEncryption(tx, { encryptionId: uuid(), volumeTypeId: typeId, ...request });
    await tellOf(tx, 'create', made, caller);
    return made;
  });
}

export async function updateTypeEncryption(
  { db }: Desk,
  caller: Caller,
  typeId: string,
  patch: TypeEncryptionPatch,
): Promise<void> {
  await db.write(async (tx) => {
    const name = await lockUnused(tx, typeId);
    await updateRow(tx, typeId, patch);
    await tellOf(tx, 'update', await encryptionOf(tx, typeId, name), caller);
  });
}

export async function deleteTypeEncryption({ db }: Desk, caller: Caller, typeId: string): Promise<void> {
  await db.write(async (tx) => {
    const name = await lockUnused(tx, typeId);
    const gone = await encryptionOf(tx, typeId, name);
    await deleteRow(tx, typeId);
    await tellOf(tx, 'delete', gone, caller);
  });
}

/** Resolves with the name of the type. */
async function lockUnused(tx: Tx, typeId: string): Promise<string> {
  const { name } = await lockVolumeType(tx, typeId);
  if (await isVolumeTypeInUse(tx.db, typeId))
    throw new VolumeTypeInUse(`Volume type ${name} is in use; its encryption cannot be changed.`);
  return name;
}

async function encryptionOf({ db }: Tx, typeId: string, name: string): Promise<TypeEncryption> {
  const found = await findTypeEncryption(db, typeId);
  if (found === undefined) throw new TypeEncryptionNotFound(`Volume type ${name} has no encryption.`);
  return found;
}

async function tellOf(
  tx: Tx,
  change: 'create' | 'update' | 'delete',
  encryption: TypeEncryption,
  caller: Caller,
): Promise<void> {
  const { encryptionId, volumeTypeId, provider, controlLocation, cipher, keySize } = encryption;
  const payload = {
    encryption_id: encryptionId,
    volume_type_id: volumeTypeId,
    provider,
    control_location: controlLocation,
    cipher,
    key_size: keySize,
  };
  const told = {
    resource: `volume_type:${volumeTypeId}`,
    eventType: `volume_type_encryption.${change}`,
    publisherId: 'volumeTypeEncryption',
    payload,
  } as const;
  await tell(tx, adminEvent(told, caller));
}
