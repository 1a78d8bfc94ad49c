/** Ids of flows by how they begin, as people type them. */
import type { Db } from './sql/db.ts';

/** In order, at most `limit`. None for what no id begins with. */
export async function flowIdsBeginning(db: Db, prefix: string, limit: number): Promise<string[]> {
  if (!/^[0-9a-f-]{1,36}$/.test(prefix)) return [];
  const rows = await db
    .selectFrom('flow')
    .select('id')
    .where('id', '>=', prefix)
    // `g` follows every letter that an id may go on with.
    .where('id', '<', `${prefix}g`)
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}
