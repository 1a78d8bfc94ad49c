/** Whose a row is, for access rules that ask for more than the caller's project. */
import type { Kysely } from 'kysely';
import type { Tables } from './schema.ts';

export interface RowOwner {
  readonly projectId: string;
  readonly userId: string;
}

export type OwnedTable = 'volume' | 'snapshot';

export async function findOwner(db: Kysely<Tables>, table: OwnedTable, id: string): Promise<RowOwner | undefined> {
  return db
    .selectFrom(table)
    .select(['project_id as projectId', 'user_id as userId'])
    .where('id', '=', id)
    .executeTakeFirst();
}
