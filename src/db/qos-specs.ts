/** The QoS specs, and which volume types have them. */
import { now } from '../lib/clock.ts';
import { QosSpecsNotFound } from '../model/errors.ts';
import {
  backEndSpecs,
  type NewQosSpecs,
  type QosConsumer,
  type QosSpecs,
  type QosSpecsPatch,
} from '../model/qos-specs.ts';
import type { Specs } from '../model/specs.ts';
import { type Columns, is, json, maybe, textMap, toRow } from './sql/columns.ts';
import { type Db, onlyIn } from './sql/db.ts';
import type { ListQuery } from './sql/list-query.ts';
import { type Listing, page } from './sql/pages.ts';
import type { QosSpecsTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

export type QosSpecsField = keyof QosSpecs;

const columns: Columns<QosSpecs, QosSpecsTable> = {
  id: is('id'),
  name: is('name'),
  consumer: is('consumer'),
  specs: json('specs'),
  createdAt: is('created_at'),
  updatedAt: maybe('updated_at'),
};

const listing: Listing<QosSpecs, QosSpecsTable> = {
  table: 'qos_specs',
  columns,
  notFound: (id) => new QosSpecsNotFound(id),
};

/** Rejects when the name is taken (`isDuplicate`). */
export async function insertQosSpecs({ db }: Tx, given: NewQosSpecs): Promise<QosSpecs> {
  const made: QosSpecs = { ...given, createdAt: now(), updatedAt: null };
  await db
    .insertInto('qos_specs')
    .values(toRow(columns, made) as QosSpecsTable)
    .execute();
  return made;
}

/** Rejects with `QosSpecsNotFound`. */
export async function getQosSpecs(db: Db, id: string): Promise<QosSpecs> {
  const row = await db.selectFrom('qos_specs').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw new QosSpecsNotFound(id);
  return toQosSpecs(row);
}

/** Rejects with `QosSpecsNotFound` when the marker names none. */
export async function listQosSpecs(db: Db, query: ListQuery<QosSpecsField>): Promise<QosSpecs[]> {
  return (await page(onlyIn(db), listing, query)).map(toQosSpecs);
}

export async function updateQosSpecs({ db }: Tx, id: string, patch: QosSpecsPatch): Promise<void> {
  await db
    .updateTable('qos_specs')
    .set({ ...toRow(columns, patch), updated_at: now() })
    .where('id', '=', id)
    .execute();
}

export async function deleteQosSpecsRow({ db }: Tx, id: string): Promise<void> {
  await db.deleteFrom('qos_specs').where('id', '=', id).execute();
}

/** What the driver is to keep the volume to, as its type has it now; nothing where there is no such volume. */
export async function backEndSpecsOf(db: Db, volumeId: string): Promise<Specs> {
  const row = await db
    .selectFrom('qos_specs')
    .innerJoin('volume_type', 'volume_type.qos_specs_id', 'qos_specs.id')
    .innerJoin('volume', 'volume.volume_type_id', 'volume_type.id')
    .selectAll('qos_specs')
    .select('volume.size_gib')
    .where('volume.id', '=', volumeId)
    .executeTakeFirst();
  return row === undefined ? {} : (backEndSpecs(toQosSpecs(row), row.size_gib) ?? {});
}

/** The volume types that have them. */
export async function typesOfQosSpecs(db: Db, id: string): Promise<{ readonly id: string; readonly name: string }[]> {
  return db.selectFrom('volume_type').select(['id', 'name']).where('qos_specs_id', '=', id).orderBy('name').execute();
}

/** Takes them from one volume type, or from all. */
export async function takeQosSpecsFromTypes({ db }: Tx, id: string, typeId?: string): Promise<void> {
  let update = db
    .updateTable('volume_type')
    .set({ qos_specs_id: null, updated_at: now() })
    .where('qos_specs_id', '=', id);
  if (typeId !== undefined) update = update.where('id', '=', typeId);
  await update.execute();
}

function toQosSpecs(row: QosSpecsTable): QosSpecs {
  return {
    id: row.id,
    name: row.name,
    consumer: row.consumer as QosConsumer,
    specs: textMap(row.specs),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
