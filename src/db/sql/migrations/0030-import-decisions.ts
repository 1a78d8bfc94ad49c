/**
 * What an import remembers from run to run: what the operator decided of it, which indexes wait for the end of its first fill, and what each
 * span of the other database was like when it was last brought over.
 */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const importDecisions: Migration = { version: 30, name: '0030-import-decisions', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  return `
    ALTER TABLE imported_from ADD COLUMN decisions ${text};
    ALTER TABLE imported_from ADD COLUMN waiting_indexes ${text} NOT NULL DEFAULT '[]';

    CREATE TABLE import_span (
      step ${text} NOT NULL,
      up_to ${text} NOT NULL,
      digest ${text} NOT NULL,
      PRIMARY KEY (step, up_to)
    ) ${sqlite ? 'STRICT, WITHOUT ROWID' : ''};
  `;
}
