/**
 * The books of backups: who shares a store's chunks with whom (*scope*), what each backup is made of, how far one has come that is being made or
 * restored, and what of those that are gone is still to be removed from their store.
 */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const backupBooks: Migration = { version: 17, name: '0017-backup-books', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  const int = sqlite ? 'INTEGER' : 'bigint';
  const table = sqlite ? 'STRICT' : '';
  return `
    ALTER TABLE backup ADD COLUMN scope_id ${text};
    ALTER TABLE backup ADD COLUMN epoch ${int} NOT NULL DEFAULT 0;
    ALTER TABLE backup ADD COLUMN image_metadata ${text};

    CREATE INDEX backup_scope_data ON backup (scope_id, data_timestamp) WHERE scope_id IS NOT NULL;

    CREATE TABLE backup_scope (
      id ${text} PRIMARY KEY,
      store ${text} NOT NULL,
      store_id ${text},
      project_id ${text} NOT NULL,
      volume_id ${text} NOT NULL,
      epoch ${int} NOT NULL,
      UNIQUE (store, project_id, volume_id)
    ) ${table};

    CREATE TABLE backup_content (
      backup_id ${text} PRIMARY KEY,
      scope_id ${text} NOT NULL,
      root ${text} NOT NULL,
      packs ${text} NOT NULL
    ) ${table};
    CREATE INDEX backup_content_scope ON backup_content (scope_id);

    CREATE TABLE backup_work (
      backup_id ${text} PRIMARY KEY,
      attempts ${int} NOT NULL,
      restored_bytes ${int} NOT NULL
    ) ${table};

    CREATE TABLE backup_bite (
      backup_id ${text} NOT NULL,
      number ${int} NOT NULL,
      pack ${text} NOT NULL,
      first ${int} NOT NULL,
      chunks ${int} NOT NULL,
      bytes ${int} NOT NULL,
      sha256 ${text} NOT NULL,
      PRIMARY KEY (backup_id, number)
    ) ${table};

    CREATE TABLE backup_remains (
      backup_id ${text} PRIMARY KEY,
      scope_id ${text} NOT NULL,
      epoch ${int} NOT NULL,
      attempts ${int} NOT NULL,
      packs ${text} NOT NULL
    ) ${table};
  `;
}
