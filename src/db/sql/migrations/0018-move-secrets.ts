/** What a volume is opened with that moves to another machine. It is a table of its own since no journal may hold a secret. */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const moveSecrets: Migration = { version: 18, name: '0018-move-secrets', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  return `CREATE TABLE move_secret (copy_id ${text} PRIMARY KEY, secret ${text} NOT NULL) ${sqlite ? 'STRICT' : ''};`;
}
