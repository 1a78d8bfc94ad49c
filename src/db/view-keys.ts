/**
 * The keys of the row cache (`api/row-cache.ts`): a row's project and revision, the only columns that a cached view needs. By
 * hand, because clients that wait for a status ask it a thousand times.
 */
import type { Connection } from './sql/connection.ts';

export interface ViewKey {
  readonly projectId: string;
  readonly revision: number;
}

const SELECT = 'SELECT project_id AS "projectId", revision FROM';
const SQLITE = { volume: `${SELECT} volume WHERE id = ?`, snapshot: `${SELECT} snapshot WHERE id = ?` };
const POSTGRESQL = { volume: `${SELECT} volume WHERE id = $1`, snapshot: `${SELECT} snapshot WHERE id = $1` };

export async function findViewKey(
  reader: Connection,
  table: 'volume' | 'snapshot',
  id: string,
): Promise<ViewKey | undefined> {
  if (reader.dialect === 'sqlite') return reader.statement(SQLITE[table]).get(id) as ViewKey | undefined;
  const [row] = await reader.prepared<ViewKey>(`view-key-${table}`, POSTGRESQL[table], [id]);
  return row;
}
