/** Transfers of volumes between projects. One that waits is its volume's only one, and goes when the volume does. */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const transfers: Migration = { version: 3, name: '0003-transfers', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  const int = sqlite ? 'INTEGER' : 'bigint';
  return `
    CREATE TABLE transfer (
      id ${text} PRIMARY KEY,
      volume_id ${text} NOT NULL UNIQUE REFERENCES volume (id) ON DELETE CASCADE,
      name ${text},
      no_snapshots ${int} NOT NULL,
      source_project_id ${text} NOT NULL,
      salt ${text} NOT NULL,
      key_hash ${text} NOT NULL,
      created_at ${text} NOT NULL
    ) ${sqlite ? 'STRICT' : ''};
    CREATE INDEX transfer_created ON transfer (created_at, id);
    CREATE INDEX transfer_project ON transfer (source_project_id, created_at, id);
  `;
}
