/** The types of groups, and which projects may see those that are not public: Cinder keeps that, and its API says nothing of it. */
import { sql } from 'kysely';
import { now } from '../lib/clock.ts';
import { GroupTypeNotFound } from '../model/errors.ts';
import type { GroupType, GroupTypePatch, NewGroupType } from '../model/group-type.ts';
import { type Columns, flag, is, json, maybe, textMap, toRow } from './sql/columns.ts';
import { type Db, onlyIn } from './sql/db.ts';
import type { ListFilter, ListQuery } from './sql/list-query.ts';
import { type Listing, page } from './sql/pages.ts';
import type { GroupTypeTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

export type GroupTypeField = keyof GroupType;

const columns: Columns<GroupType, GroupTypeTable> = {
  id: is('id'),
  name: is('name'),
  description: maybe('description'),
  isPublic: flag('is_public'),
  groupSpecs: json('group_specs'),
  createdAt: is('created_at'),
  updatedAt: maybe('updated_at'),
};

const listing: Listing<GroupType, GroupTypeTable> = {
  table: 'group_type',
  columns,
  notFound: (id) => new GroupTypeNotFound(id),
};

/** Rejects when the name is taken (`isDuplicate`). */
export async function insertGroupType({ db }: Tx, given: NewGroupType): Promise<GroupType> {
  const made: GroupType = { ...given, createdAt: now(), updatedAt: null };
  await db
    .insertInto('group_type')
    .values(toRow(columns, made) as GroupTypeTable)
    .execute();
  return made;
}

/** Rejects with `GroupTypeNotFound`. */
export async function getGroupType(db: Db, id: string): Promise<GroupType> {
  const row = await db.selectFrom('group_type').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw new GroupTypeNotFound(id);
  return toGroupType(row);
}

/** `ignoreCase`: of the letters from A to Z, where none is called exactly so. */
export async function findGroupTypeByName(
  db: Db,
  name: string,
  { ignoreCase = false }: { readonly ignoreCase?: boolean } = {},
): Promise<GroupType | undefined> {
  const row = await db.selectFrom('group_type').selectAll().where('name', '=', name).executeTakeFirst();
  if (row !== undefined || !ignoreCase) return row && toGroupType(row);
  const alike = await db
    .selectFrom('group_type')
    .selectAll()
    .where(sql`lower(name)`, '=', sql`lower(${name})`)
    .orderBy('id')
    .executeTakeFirst();
  return alike && toGroupType(alike);
}

/** `visibleTo` leaves out types that are neither public nor open to the project. */
export interface GroupTypeQuery extends ListQuery<GroupTypeField> {
  readonly visibleTo?: string;
}

/** Rejects with `GroupTypeNotFound` when the marker names none. */
export async function listGroupTypes(db: Db, query: GroupTypeQuery): Promise<GroupType[]> {
  if (query.visibleTo === undefined) return (await page(onlyIn(db), listing, query)).map(toGroupType);
  const open = { is: 'in', field: 'id', values: await groupTypesOpenTo(db, query.visibleTo) } as const;
  const visible: ListFilter<GroupTypeField> = {
    is: 'any-of',
    filters: [{ is: 'equal', field: 'isPublic', value: true }, open],
  };
  return (await page(onlyIn(db), listing, { ...query, filters: [...(query.filters ?? []), visible] })).map(toGroupType);
}

/** Whether the project may use the type: it is public, or the project was given access. */
export async function mayUseGroupType(db: Db, { id, isPublic }: GroupType, projectId: string): Promise<boolean> {
  return isPublic || (await groupTypesOpenTo(db, projectId)).includes(id);
}

/** Those that it was given access to. */
async function groupTypesOpenTo(db: Db, projectId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('group_type_access')
    .select('group_type_id')
    .where('project_id', '=', projectId)
    .execute();
  return rows.map((row) => row.group_type_id);
}

export async function updateGroupType({ db }: Tx, id: string, patch: GroupTypePatch): Promise<void> {
  await db
    .updateTable('group_type')
    .set({ ...toRow(columns, patch), updated_at: now() })
    .where('id', '=', id)
    .execute();
}

export async function isGroupTypeInUse(db: Db, id: string): Promise<boolean> {
  const group = await db
    .selectFrom('volume_group')
    .select('id')
    .where('group_type_id', '=', id)
    .limit(1)
    .executeTakeFirst();
  return group !== undefined;
}

/** Rejects while a group is of it: ask `isGroupTypeInUse` in the same transaction. */
export async function deleteGroupTypeRow({ db }: Tx, id: string): Promise<void> {
  await db.deleteFrom('group_type').where('id', '=', id).execute();
}

function toGroupType(row: GroupTypeTable): GroupType {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    isPublic: row.is_public === 1,
    groupSpecs: textMap(row.group_specs),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
