/**
 * What was found when backups were looked at: when each was last, how deep, and what is damaged; and how far a look (*round*) has
 * come that is not over. Scopes remember when one of them was last tried, so that the nightly ones take turns.
 */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const backupChecks: Migration = { version: 22, name: '0022-backup-checks', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  const int = sqlite ? 'INTEGER' : 'bigint';
  const table = sqlite ? 'STRICT' : '';
  return `
    ALTER TABLE backup_scope ADD COLUMN looked_at ${text};

    CREATE TABLE backup_check (
      backup_id ${text} PRIMARY KEY,
      checked_at ${text} NOT NULL,
      depth ${text} NOT NULL,
      percent ${int} NOT NULL
    ) ${table};

    CREATE TABLE backup_damage (
      backup_id ${text} NOT NULL,
      pack ${text} NOT NULL,
      what ${text} NOT NULL,
      depth ${text} NOT NULL,
      ranges ${text} NOT NULL,
      found_at ${text} NOT NULL,
      PRIMARY KEY (backup_id, pack)
    ) ${table};

    CREATE TABLE backup_round (
      id ${text} PRIMARY KEY,
      begun_at ${text} NOT NULL,
      backup_ids ${text} NOT NULL,
      after_pack ${text}
    ) ${table};
  `;
}
