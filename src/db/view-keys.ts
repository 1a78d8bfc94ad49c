/**
 * Whose a row is and how often it has changed: all that is asked of the database for a resource whose view is kept
 * (`api/rendered.ts`). By hand, because it is what clients that wait for a status ask a thousand times.
 */
import type { Connection } from './connection.ts';

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
