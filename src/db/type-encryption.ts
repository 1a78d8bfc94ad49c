/** The encryption of volume types. A type has at most one. */
import { now } from '../lib/clock.ts';
import type { NewTypeEncryption, TypeEncryption, TypeEncryptionPatch } from '../model/type-encryption.ts';
import { type Columns, is, maybe, toRow } from './sql/columns.ts';
import type { Db } from './sql/db.ts';
import type { VolumeTypeEncryptionTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

const columns: Columns<TypeEncryption, VolumeTypeEncryptionTable> = {
  encryptionId: is('encryption_id'),
  volumeTypeId: is('volume_type_id'),
  provider: is('provider'),
  controlLocation: is('control_location'),
  cipher: maybe('cipher'),
  keySize: maybe('key_size'),
  createdAt: is('created_at'),
  updatedAt: maybe('updated_at'),
};

export async function findTypeEncryption(db: Db, typeId: string): Promise<TypeEncryption | undefined> {
  return db.once(`encryption of ${typeId}`, async (past) => {
    const row = await past
      .selectFrom('volume_type_encryption')
      .selectAll()
      .where('volume_type_id', '=', typeId)
      .executeTakeFirst();
    return row && toTypeEncryption(row);
  });
}

/** The type must have none. */
export async function insertTypeEncryption({ db }: Tx, given: NewTypeEncryption): Promise<TypeEncryption> {
  const made: TypeEncryption = { ...given, createdAt: now(), updatedAt: null };
  await db
    .insertInto('volume_type_encryption')
    .values(toRow(columns, made) as VolumeTypeEncryptionTable)
    .execute();
  return made;
}

export async function updateTypeEncryption({ db }: Tx, typeId: string, patch: TypeEncryptionPatch): Promise<void> {
  await db
    .updateTable('volume_type_encryption')
    .set({ ...toRow(columns, patch), updated_at: now() })
    .where('volume_type_id', '=', typeId)
    .execute();
}

export async function deleteTypeEncryption({ db }: Tx, typeId: string): Promise<void> {
  await db.deleteFrom('volume_type_encryption').where('volume_type_id', '=', typeId).execute();
}

function toTypeEncryption(row: VolumeTypeEncryptionTable): TypeEncryption {
  return {
    encryptionId: row.encryption_id,
    volumeTypeId: row.volume_type_id,
    provider: row.provider,
    controlLocation: row.control_location as TypeEncryption['controlLocation'],
    cipher: row.cipher,
    keySize: row.key_size,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
