/** The transfers that wait to be accepted. One that was accepted or taken back has no row; its events tell of it. */
import { now, type Timestamp, uuid } from '../lib/clock.ts';
import type { KeptAuthKey, KeyScheme } from '../model/auth-key.ts';
import { TransferNotFound } from '../model/errors.ts';
import { type Columns, flag, is, maybe, toRow } from './sql/columns.ts';
import type { Db, Readers } from './sql/db.ts';
import type { ListQuery } from './sql/list-query.ts';
import { type Listing, page } from './sql/pages.ts';
import type { TransferTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

export interface Transfer {
  readonly id: string;
  readonly volumeId: string;
  readonly name: string | null;
  /** The volume's snapshots stay with the project that gives. */
  readonly noSnapshots: boolean;
  /** The project that gives. */
  readonly projectId: string;
  readonly createdAt: Timestamp;
  readonly salt: string;
  readonly keyHash: string;
  readonly keyScheme: KeyScheme;
}

export type NewTransfer = Omit<Transfer, 'id' | 'createdAt' | 'salt' | 'keyHash' | 'keyScheme'> & {
  readonly kept: KeptAuthKey;
};
export type TransferField = keyof Transfer;

const columns: Columns<Transfer, TransferTable> = {
  id: is('id'),
  volumeId: is('volume_id'),
  name: maybe('name'),
  noSnapshots: flag('no_snapshots'),
  projectId: is('source_project_id'),
  createdAt: is('created_at'),
  salt: is('salt'),
  keyHash: is('key_hash'),
  keyScheme: is('scheme'),
};

const listing: Listing<Transfer, TransferTable> = {
  table: 'transfer',
  columns,
  notFound: (id) => new TransferNotFound(id),
};

/** The only one of its volume: one that was left there is void. */
export async function insertTransfer(tx: Tx, { kept, ...given }: NewTransfer): Promise<Transfer> {
  const transfer: Transfer = { id: uuid(), createdAt: now(), ...keptBy(kept), ...given };
  await deleteTransfersOf(tx, transfer.volumeId);
  await tx.db
    .insertInto('transfer')
    .values(toRow(columns, transfer) as TransferTable)
    .execute();
  return transfer;
}

const keptBy = ({ salt, hash, scheme }: KeptAuthKey) => ({ salt, keyHash: hash, keyScheme: scheme });

/** Rejects with `TransferNotFound`. */
export async function getTransfer(db: Db, id: string): Promise<Transfer> {
  const row = await db.selectFrom('transfer').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw new TransferNotFound(id);
  return toTransfer(row);
}

/** Rejects with `TransferNotFound` when the marker names none. */
export async function listTransfers(readers: Readers, query: ListQuery<TransferField>): Promise<Transfer[]> {
  return (await page(readers, listing, query)).map(toTransfer);
}

/** False when there was none. */
export async function deleteTransferRow({ db }: Tx, id: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('transfer').where('id', '=', id).executeTakeFirst();
  return numDeletedRows > 0n;
}

/** Of one volume. */
export async function deleteTransfersOf({ db }: Tx, volumeId: string): Promise<void> {
  await db.deleteFrom('transfer').where('volume_id', '=', volumeId).execute();
}

function toTransfer(row: TransferTable): Transfer {
  return {
    id: row.id,
    volumeId: row.volume_id,
    name: row.name,
    noSnapshots: row.no_snapshots === 1,
    projectId: row.source_project_id,
    createdAt: row.created_at,
    salt: row.salt,
    keyHash: row.key_hash,
    keyScheme: row.scheme as KeyScheme,
  };
}
