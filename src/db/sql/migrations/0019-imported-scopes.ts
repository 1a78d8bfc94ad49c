/**
 * Scopes that were made by another database, and are known here from the records of some of their backups. What the others are made of nobody
 * here knows, so no pack of such a scope is ever given up.
 */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const importedScopes: Migration = { version: 19, name: '0019-imported-scopes', statements };

function statements(dialect: Dialect): string {
  const int = dialect === 'sqlite' ? 'INTEGER' : 'bigint';
  return `ALTER TABLE backup_scope ADD COLUMN imported ${int} NOT NULL DEFAULT 0;`;
}
