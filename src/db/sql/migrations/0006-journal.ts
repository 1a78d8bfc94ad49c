/**
 * A flow's row and its steps are written so often that what hangs on them is felt.
 *
 * PostgreSQL asks once for each step whether its flow is there, in a query of its own: a third of what a step costs. Steps are
 * written by the statement that has just found their flow (`db/journal-postgresql.ts`), and go with it (`DatabaseJournal.prune`).
 * SQLite's check is a look at a page it has in hand. The order of ids is that of time, so no index need repeat it.
 */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const journal: Migration = { version: 6, name: '0006-journal', statements };

function statements(dialect: Dialect): string {
  return `
    DROP INDEX flow_created;
    DROP INDEX flow_project;
    ${dialect === 'postgresql' ? 'ALTER TABLE flow_step DROP CONSTRAINT flow_step_flow_id_fkey;' : ''}
  `;
}
