/** Attachments are changed as volumes and snapshots are, by rows that say how often they were. */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const attachmentRevision: Migration = { version: 16, name: '0016-attachment-revision', statements };

function statements(dialect: Dialect): string {
  const int = dialect === 'sqlite' ? 'INTEGER' : 'bigint';
  return `ALTER TABLE volume_attachment ADD COLUMN revision ${int} NOT NULL DEFAULT 1;`;
}
