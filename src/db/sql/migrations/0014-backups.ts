/**
 * Backups of volumes. A backup outlives its volume, its snapshot and, being imported, comes without its parent; so none of these is
 * a foreign key. Nulls come first in the index by name as in the list, which PostgreSQL must be told.
 */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const backups: Migration = { version: 14, name: '0014-backups', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  const int = sqlite ? 'INTEGER' : 'bigint';
  return `
    CREATE TABLE backup (
      id ${text} PRIMARY KEY,
      project_id ${text} NOT NULL,
      user_id ${text} NOT NULL,
      volume_id ${text} NOT NULL,
      snapshot_id ${text},
      parent_id ${text},
      name ${text},
      description ${text},
      status ${text} NOT NULL,
      fail_reason ${text},
      size_gib ${int} NOT NULL,
      container ${text},
      availability_zone ${text},
      host ${text},
      service ${text},
      service_metadata ${text},
      object_count ${int} NOT NULL,
      data_timestamp ${text},
      restore_volume_id ${text},
      encryption_key_id ${text},
      metadata ${text} NOT NULL,
      created_at ${text} NOT NULL,
      updated_at ${text},
      revision ${int} NOT NULL
    ) ${sqlite ? 'STRICT' : ''};
    CREATE INDEX backup_created ON backup (created_at, id);
    CREATE INDEX backup_project ON backup (project_id, created_at, id);
    CREATE INDEX backup_name ON backup (project_id, ${sqlite ? 'name' : 'name NULLS FIRST'}, created_at, id);
    CREATE INDEX backup_status ON backup (project_id, status, created_at, id);
    CREATE INDEX backup_volume ON backup (project_id, volume_id, created_at, id);
    CREATE INDEX backup_parent ON backup (parent_id) WHERE parent_id IS NOT NULL;
  `;
}
