/** Upkeep that is in trouble, and why: what a process would say if it were asked. */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const trouble: Migration = { version: 7, name: '0007-trouble', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  return `
    CREATE TABLE trouble (
      process ${text} NOT NULL,
      upkeep ${text} NOT NULL,
      about ${text} NOT NULL,
      node ${text} NOT NULL,
      reason ${text} NOT NULL,
      since ${text} NOT NULL,
      PRIMARY KEY (process, upkeep, about)
    ) ${sqlite ? 'STRICT' : ''};
  `;
}
