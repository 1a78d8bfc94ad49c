/**
 * A caller's volume or snapshot inside a transaction that reads it to change it: nobody else changes it before the
 * transaction ends. SQLite has one writer; PostgreSQL locks the row.
 */
import { sql } from 'kysely';
import type { Tx } from '../db/writer.ts';
import type { Caller } from '../model/caller.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Volume } from '../model/volume.ts';
import { snapshotFor, volumeFor } from './find.ts';

export async function lockVolume(tx: Tx, caller: Caller, id: string): Promise<Volume> {
  await lock(tx, 'volume', id);
  return volumeFor(tx.db, caller, id);
}

export async function lockSnapshot(tx: Tx, caller: Caller, id: string): Promise<Snapshot> {
  await lock(tx, 'snapshot', id);
  return snapshotFor(tx.db, caller, id);
}

async function lock({ connection, db }: Tx, table: 'volume' | 'snapshot', id: string): Promise<void> {
  if (connection.dialect === 'sqlite') return;
  await sql`SELECT 1 FROM ${sql.table(table)} WHERE id = ${id} FOR UPDATE`.execute(db);
}
