/**
 * A caller's volume or snapshot, or a volume type, inside a transaction that reads it to change it: nobody else changes it
 * before the transaction ends. SQLite has one writer; PostgreSQL locks the row.
 */
import { sql } from 'kysely';
import { getVolumeType } from '../db/volume-types.ts';
import type { Tx } from '../db/writer.ts';
import type { Caller } from '../model/caller.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Volume } from '../model/volume.ts';
import type { VolumeType } from '../model/volume-type.ts';
import { snapshotFor, volumeFor } from './find.ts';

export async function lockVolume(tx: Tx, caller: Caller, id: string): Promise<Volume> {
  await lock(tx, 'volume', id);
  return volumeFor(tx.db, caller, id);
}

export async function lockSnapshot(tx: Tx, caller: Caller, id: string): Promise<Snapshot> {
  await lock(tx, 'snapshot', id);
  return snapshotFor(tx.db, caller, id);
}

/** Nor does anybody make a volume of the type before the transaction ends. */
export async function lockVolumeType(tx: Tx, id: string): Promise<VolumeType> {
  await lock(tx, 'volume_type', id);
  return getVolumeType(tx.db, id);
}

async function lock({ connection, db }: Tx, table: 'volume' | 'snapshot' | 'volume_type', id: string): Promise<void> {
  if (connection.dialect === 'sqlite') return;
  await sql`SELECT 1 FROM ${sql.table(table)} WHERE id = ${id} FOR UPDATE`.execute(db);
}
