/** The owner of a row, project and user, for access rules that ask for more than the caller's project. */
import { sql } from 'kysely';
import type { Db } from './sql/db.ts';

export interface RowOwner {
  readonly projectId: string;
  /** Absent where a row is its project's alone. */
  readonly userId?: string;
}

const OWNERS = {
  volume: { project: 'project_id', user: 'user_id' },
  snapshot: { project: 'project_id', user: 'user_id' },
  volume_attachment: { project: 'project_id', user: null },
  transfer: { project: 'source_project_id', user: null },
  volume_group: { project: 'project_id', user: 'user_id' },
  group_snapshot: { project: 'project_id', user: 'user_id' },
  backup: { project: 'project_id', user: 'user_id' },
  message: { project: 'project_id', user: null },
} as const;

export type OwnedTable = keyof typeof OWNERS;

export async function findOwner(db: Db, table: OwnedTable, id: string): Promise<RowOwner | undefined> {
  const { project, user } = OWNERS[table];
  const userId = user === null ? sql`NULL` : sql.ref(user);
  const { rows } = await sql<{ projectId: string; userId: string | null }>`
    SELECT ${sql.ref(project)} AS "projectId", ${userId} AS "userId" FROM ${sql.table(table)} WHERE id = ${id}
  `.execute(db);
  const [row] = rows;
  return row && { projectId: row.projectId, ...(row.userId !== null && { userId: row.userId }) };
}
