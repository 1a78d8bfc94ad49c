/** How the sinks of events are, and which resources wait at each: what whoever delivers events goes on from, and what is shown of them. */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const sinks: Migration = { version: 29, name: '0029-sinks', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  const int = sqlite ? 'INTEGER' : 'bigint';
  const table = sqlite ? 'STRICT, WITHOUT ROWID' : '';
  return `
    CREATE TABLE sink (
      sink ${text} PRIMARY KEY,
      succeeded_at ${text},
      failing_since ${text},
      tries ${int} NOT NULL,
      reason ${text},
      next_try_at ${text}
    ) ${table};

    CREATE TABLE sink_waiting (
      sink ${text} NOT NULL REFERENCES sink (sink) ON DELETE CASCADE,
      resource ${text} NOT NULL,
      seq ${int} NOT NULL,
      since ${text} NOT NULL,
      tries ${int} NOT NULL,
      reason ${text} NOT NULL,
      next_try_at ${text},
      PRIMARY KEY (sink, resource)
    ) ${table};
  `;
}
