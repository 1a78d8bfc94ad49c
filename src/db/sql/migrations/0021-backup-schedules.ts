/** Schedules of backups, what each has asked for last, and which backups are theirs. */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const backupSchedules: Migration = { version: 21, name: '0021-backup-schedules', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  const int = sqlite ? 'INTEGER' : 'bigint';
  const table = sqlite ? 'STRICT' : '';
  return `
    CREATE TABLE backup_schedule (
      id ${text} PRIMARY KEY,
      name ${text} NOT NULL UNIQUE,
      target ${text} NOT NULL,
      target_id ${text} NOT NULL,
      times ${text} NOT NULL,
      zone ${text} NOT NULL,
      keep_last ${int} NOT NULL,
      keep_daily ${int} NOT NULL,
      keep_weekly ${int} NOT NULL,
      keep_monthly ${int} NOT NULL,
      full_every ${int},
      store ${text},
      force ${int} NOT NULL,
      created_at ${text} NOT NULL,
      next_run_at ${text} NOT NULL,
      last_run_at ${text},
      last_began_at ${text},
      last_ended_at ${text},
      last_failure ${text},
      whole_at ${text} NOT NULL
    ) ${table};

    CREATE TABLE backup_schedule_volume (
      schedule_id ${text} NOT NULL,
      volume_id ${text} NOT NULL,
      run_at ${text} NOT NULL,
      since_full ${int} NOT NULL,
      backup_id ${text},
      refusal ${text},
      PRIMARY KEY (schedule_id, volume_id)
    ) ${table};

    ALTER TABLE backup ADD COLUMN schedule_id ${text};
    CREATE INDEX backup_of_schedule ON backup (schedule_id) WHERE schedule_id IS NOT NULL;
  `;
}
