/** Alarms that last. A row is there from its first event to its last, whichever process tells them. */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const alarms: Migration = { version: 26, name: '0026-alarms', statements };

function statements(dialect: Dialect): string {
  const text = dialect === 'sqlite' ? 'TEXT' : 'text COLLATE "C"';
  return `
    CREATE TABLE alarm (
      alarm ${text} NOT NULL,
      about ${text} NOT NULL,
      message ${text} NOT NULL,
      since ${text} NOT NULL,
      PRIMARY KEY (alarm, about)
    ) ${dialect === 'sqlite' ? 'STRICT, WITHOUT ROWID' : ''}`;
}
