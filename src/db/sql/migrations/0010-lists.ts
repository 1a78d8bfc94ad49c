/**
 * Lists by name and by status: what people type and pollers ask, without a look at every row of the project.
 *
 * Each index is in the order of a list, so a page of it is read from one end (`list-parts.ts`). Nulls come first in it as in the
 * lists, which PostgreSQL must be told. A create pays for each with one more entry, and on PostgreSQL a change of status with an
 * entry in every index of the row; so only what is asked for all day has one.
 */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const lists: Migration = { version: 10, name: '0010-lists', statements };

function statements(dialect: Dialect): string {
  const name = dialect === 'sqlite' ? 'name' : 'name NULLS FIRST';
  return `
    CREATE INDEX volume_name ON volume (project_id, ${name}, created_at, id);
    CREATE INDEX volume_status ON volume (project_id, status, created_at, id);
    CREATE INDEX snapshot_name ON snapshot (project_id, ${name}, created_at, id);
    CREATE INDEX snapshot_status ON snapshot (project_id, status, created_at, id);
  `;
}
