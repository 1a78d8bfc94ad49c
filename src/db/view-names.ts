/**
 * Names from other tables for views: of volume types, and the ids of services. Read with every list, so it is one statement
 * by hand for all rows (no N+1 queries) and one text: a reader that finds the text unchanged need not look into it.
 */
import type { Connection } from './sql/connection.ts';

export interface ViewNames {
  /** JSON: the name of each volume type by its id. */
  readonly types: string;
  /** JSON: the id of each volume service by its host. */
  readonly services: string;
}

const SQLITE = `
  SELECT (SELECT json_group_object(id, name) FROM volume_type) AS types,
         (SELECT json_group_object(host, uuid) FROM service WHERE "binary" = 'cinder-volume') AS services`;

const POSTGRESQL = `
  SELECT (SELECT coalesce(json_object_agg(id, name), '{}')::text FROM volume_type) AS types,
         (SELECT coalesce(json_object_agg(host, uuid), '{}')::text FROM service WHERE "binary" = 'cinder-volume')
           AS services`;

export async function readViewNames(reader: Connection): Promise<ViewNames> {
  const row =
    reader.dialect === 'sqlite'
      ? reader.statement(SQLITE).get()
      : (await reader.prepared<ViewNames>('view-names', POSTGRESQL, []))[0];
  return row as unknown as ViewNames;
}
