/** Ids by how they begin, as people type them. */
import type { Db } from './sql/db.ts';

/** Whose ids people type. */
export type TableOfIds =
  | 'flow'
  | 'volume'
  | 'snapshot'
  | 'backup'
  | 'volume_attachment'
  | 'volume_group'
  | 'group_snapshot';

/** In order, at most `limit`. None for what no id begins with. */
export async function idsBeginning(db: Db, table: TableOfIds, prefix: string, limit: number): Promise<string[]> {
  if (!/^[0-9a-f-]{1,36}$/.test(prefix)) return [];
  const rows = await db
    .selectFrom(table)
    .select('id')
    .where('id', '>=', prefix)
    // `g` follows every letter that an id may go on with.
    .where('id', '<', `${prefix}g`)
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}
