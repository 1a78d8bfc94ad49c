/**
 * Bases: what backends keep on of volumes that were backed up, to tell what has changed since. And of each backup how it was found out what to
 * store, and why all had to be read.
 */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const backupBases: Migration = { version: 20, name: '0020-backup-bases', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  const int = sqlite ? 'INTEGER' : 'bigint';
  return `
    CREATE TABLE backup_base (
      backup_id ${text} PRIMARY KEY,
      volume_id ${text} NOT NULL,
      name_id ${text},
      pool ${text} NOT NULL,
      root ${text} NOT NULL,
      created_at ${text} NOT NULL,
      given_up ${int} NOT NULL
    ) ${sqlite ? 'STRICT' : ''};
    CREATE INDEX backup_base_volume ON backup_base (volume_id);
    CREATE INDEX backup_base_pool ON backup_base (pool, created_at) WHERE given_up = 0;

    ALTER TABLE backup_content ADD COLUMN way ${text};
    ALTER TABLE backup_content ADD COLUMN why ${text};
  `;
}
