/** The volume types, and which projects may see those that are not public. */
import { sql } from 'kysely';
import { now } from '../lib/clock.ts';
import { VolumeTypeNotFound } from '../model/errors.ts';
import {
  DEFAULT_VOLUME_TYPE,
  type NewVolumeType,
  type VolumeType,
  type VolumeTypePatch,
} from '../model/volume-type.ts';
import { type Columns, flag, is, json, maybe, textMap, toRow } from './sql/columns.ts';
import { type Db, onlyIn } from './sql/db.ts';
import type { ListFilter, ListQuery } from './sql/list-query.ts';
import { count, type Listing, page } from './sql/pages.ts';
import type { VolumeTypeTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

export type VolumeTypeField = keyof VolumeType;

const columns: Columns<VolumeType, VolumeTypeTable> = {
  id: is('id'),
  name: is('name'),
  description: maybe('description'),
  isPublic: flag('is_public'),
  extraSpecs: json('extra_specs'),
  qosSpecsId: maybe('qos_specs_id'),
  createdAt: is('created_at'),
  updatedAt: maybe('updated_at'),
};

const listing: Listing<VolumeType, VolumeTypeTable> = {
  table: 'volume_type',
  columns,
  notFound: (id) => new VolumeTypeNotFound(id),
};

/** The name must be free: ask `findVolumeTypeByName` in the same transaction. */
export async function insertVolumeType({ db }: Tx, given: NewVolumeType): Promise<VolumeType> {
  const type: VolumeType = {
    description: null,
    isPublic: true,
    extraSpecs: {},
    qosSpecsId: null,
    createdAt: now(),
    ...given,
    updatedAt: null,
  };
  await db
    .insertInto('volume_type')
    .values(toRow(columns, type) as VolumeTypeTable)
    .execute();
  return type;
}

export async function findVolumeType(db: Db, id: string): Promise<VolumeType | undefined> {
  return db.once(`volume_type ${id}`, async (past) => {
    const row = await past.selectFrom('volume_type').selectAll().where('id', '=', id).executeTakeFirst();
    return row && toVolumeType(row);
  });
}

export interface NameOptions {
  /** Of the letters from A to Z, where no type is called exactly so. */
  readonly ignoreCase?: boolean;
}

export async function findVolumeTypeByName(
  db: Db,
  name: string,
  { ignoreCase = false }: NameOptions = {},
): Promise<VolumeType | undefined> {
  const named = await findVolumeTypeNamed(db, name);
  if (named !== undefined || !ignoreCase) return named;
  return db.once(`volume_type alike ${name}`, async (past) => {
    const row = await past
      .selectFrom('volume_type')
      .selectAll()
      .where(sql`lower(name)`, '=', sql`lower(${name})`)
      .orderBy('id')
      .executeTakeFirst();
    return row && toVolumeType(row);
  });
}

async function findVolumeTypeNamed(db: Db, name: string): Promise<VolumeType | undefined> {
  return db.once(`volume_type named ${name}`, async (past) => {
    const row = await past.selectFrom('volume_type').selectAll().where('name', '=', name).executeTakeFirst();
    return row && toVolumeType(row);
  });
}

/** Nobody deletes the type, or locks it, before the transaction ends: what is read of it afterwards stays as it is. */
export async function keepVolumeType(db: Db, id: string): Promise<void> {
  if (db.direct.dialect === 'sqlite') return;
  await db.once(`volume_type ${id} kept`, async (past) => {
    await sql`SELECT 1 FROM volume_type WHERE id = ${id} FOR KEY SHARE`.execute(past);
  });
}

/** Rejects with `VolumeTypeNotFound`. */
export async function getVolumeType(db: Db, id: string): Promise<VolumeType> {
  const type = await findVolumeType(db, id);
  if (type === undefined) throw new VolumeTypeNotFound(id);
  return type;
}

/** The type that is always there. */
export async function defaultVolumeType(db: Db): Promise<VolumeType> {
  const type = await findVolumeTypeByName(db, DEFAULT_VOLUME_TYPE);
  if (type === undefined) throw new VolumeTypeNotFound(DEFAULT_VOLUME_TYPE);
  return type;
}

/** False when there is no such type. */
export async function updateVolumeType({ db }: Tx, id: string, patch: VolumeTypePatch): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('volume_type')
    .set({ ...toRow(columns, patch), updated_at: now() })
    .where('id', '=', id)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/**
 * With its accesses. Rejects while a volume or snapshot is of it. That a group may have such volumes it does not see: ask `isOfGroup` in the
 * same transaction.
 */
export async function deleteVolumeTypeRow({ db }: Tx, id: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('volume_type').where('id', '=', id).executeTakeFirst();
  return numDeletedRows > 0n;
}

export async function isVolumeTypeInUse(db: Db, id: string): Promise<boolean> {
  const volume = await db
    .selectFrom('volume')
    .select('id')
    .where('volume_type_id', '=', id)
    .limit(1)
    .executeTakeFirst();
  const snapshot = await db
    .selectFrom('snapshot')
    .select('id')
    .where('volume_type_id', '=', id)
    .limit(1)
    .executeTakeFirst();
  return volume !== undefined || snapshot !== undefined;
}

/** `visibleTo` leaves out types that are neither public nor open to the project. */
export interface VolumeTypeQuery extends ListQuery<VolumeTypeField> {
  readonly visibleTo?: string;
}

/** Rejects with `VolumeTypeNotFound` when the marker names none. */
export async function listVolumeTypes(db: Db, query: VolumeTypeQuery = {}): Promise<VolumeType[]> {
  if (query.visibleTo === undefined) return (await page(onlyIn(db), listing, query)).map(toVolumeType);
  const visible = await visibleTypes(db, query.visibleTo);
  const filters: ListFilter<VolumeTypeField>[] = [...(query.filters ?? []), { is: 'in', field: 'id', values: visible }];
  return (await page(onlyIn(db), listing, { ...query, filters })).map(toVolumeType);
}

export function countVolumeTypes(db: Db, filters: readonly ListFilter<VolumeTypeField>[]): Promise<number> {
  return count(onlyIn(db), listing, filters);
}

/** Whether the project may use the type: it is public, or the project was given access. */
export async function mayUseVolumeType(db: Db, type: VolumeType, projectId: string): Promise<boolean> {
  return type.isPublic || (await volumeTypeProjects(db, type.id)).includes(projectId);
}

/** The projects that were given access. */
export async function volumeTypeProjects(db: Db, id: string): Promise<string[]> {
  const rows = await db
    .selectFrom('volume_type_access')
    .select('project_id')
    .where('volume_type_id', '=', id)
    .orderBy('project_id')
    .execute();
  return rows.map((row) => row.project_id);
}

/** False when it had it. */
export async function addVolumeTypeAccess({ db }: Tx, id: string, projectId: string): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('volume_type_access')
    .values({ volume_type_id: id, project_id: projectId })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** False when it had none. */
export async function removeVolumeTypeAccess({ db }: Tx, id: string, projectId: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('volume_type_access')
    .where('volume_type_id', '=', id)
    .where('project_id', '=', projectId)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

async function visibleTypes(db: Db, projectId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('volume_type')
    .leftJoin('volume_type_access', (join) =>
      join
        .onRef('volume_type_access.volume_type_id', '=', 'volume_type.id')
        .on('volume_type_access.project_id', '=', projectId),
    )
    .select('volume_type.id')
    .where(({ or, eb }) => or([eb('is_public', '=', 1), eb('volume_type_access.project_id', 'is not', null)]))
    .execute();
  return rows.map((row) => row.id);
}

function toVolumeType(row: VolumeTypeTable): VolumeType {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    isPublic: row.is_public === 1,
    extraSpecs: textMap(row.extra_specs),
    qosSpecsId: row.qos_specs_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
