/** The types of groups. */
import { now } from '../lib/clock.ts';
import { GroupTypeNotFound } from '../model/errors.ts';
import type { GroupType, GroupTypePatch, NewGroupType } from '../model/group-type.ts';
import { type Columns, flag, is, json, maybe, textMap, toRow } from './sql/columns.ts';
import { type Db, onlyIn } from './sql/db.ts';
import type { ListQuery } from './sql/list-query.ts';
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

export async function findGroupTypeByName(db: Db, name: string): Promise<GroupType | undefined> {
  const row = await db.selectFrom('group_type').selectAll().where('name', '=', name).executeTakeFirst();
  return row && toGroupType(row);
}

/** Rejects with `GroupTypeNotFound` when the marker names none. */
export async function listGroupTypes(db: Db, query: ListQuery<GroupTypeField>): Promise<GroupType[]> {
  return (await page(onlyIn(db), listing, query)).map(toGroupType);
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
