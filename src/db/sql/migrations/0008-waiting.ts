/** Flows that wait for those that share what they want for themselves. */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const waiting: Migration = { version: 8, name: '0008-waiting', statements };

function statements(dialect: Dialect): string {
  return `
    ALTER TABLE hold ADD COLUMN waiting ${dialect === 'sqlite' ? 'INTEGER' : 'bigint'} NOT NULL DEFAULT 0;
    CREATE INDEX hold_waiting ON hold (flow_id) WHERE waiting = 1;
  `;
}
