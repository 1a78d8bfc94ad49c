/**
 * Room for what a living Cinder brings: users that nobody knows, connections that another service has opened, keys of transfers that
 * are hashed its way, the secrets of targets, access of projects to group types; and how far it has been brought over.
 *
 * SQLite cannot take back a NOT NULL, so there the column is made anew beside the old one and takes its name.
 */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const movingIn: Migration = { version: 28, name: '0028-moving-in', statements };

const WITH_USER = ['volume', 'snapshot', 'volume_group', 'group_snapshot', 'backup'] as const;

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  const int = sqlite ? 'INTEGER' : 'bigint';
  const table = sqlite ? 'STRICT' : '';
  const clustered = sqlite ? 'STRICT, WITHOUT ROWID' : '';
  const mayBeNull = (name: string): string =>
    sqlite
      ? `ALTER TABLE ${name} ADD COLUMN nobody TEXT;
         UPDATE ${name} SET nobody = user_id;
         ALTER TABLE ${name} DROP COLUMN user_id;
         ALTER TABLE ${name} RENAME COLUMN nobody TO user_id;`
      : `ALTER TABLE ${name} ALTER COLUMN user_id DROP NOT NULL;`;
  return `
    ${WITH_USER.map(mayBeNull).join('\n')}
    ALTER TABLE volume ADD COLUMN provider_auth ${text};
    ALTER TABLE snapshot ADD COLUMN provider_auth ${text};
    ALTER TABLE volume_attachment ADD COLUMN taken_over ${int} NOT NULL DEFAULT 0;
    ALTER TABLE transfer ADD COLUMN scheme ${text} NOT NULL DEFAULT 'hmac-sha256';

    CREATE TABLE group_type_access (
      group_type_id ${text} NOT NULL REFERENCES group_type (id) ON DELETE CASCADE,
      project_id ${text} NOT NULL,
      PRIMARY KEY (group_type_id, project_id)
    ) ${clustered};
    CREATE INDEX group_type_access_project ON group_type_access (project_id);

    CREATE TABLE imported_from (
      source ${text} PRIMARY KEY,
      revision ${text} NOT NULL,
      step ${text},
      after_id ${text},
      counts ${text} NOT NULL,
      began_at ${text} NOT NULL,
      filled_at ${text},
      turned_at ${text}
    ) ${table};

    CREATE TABLE import_gone (
      step ${text} NOT NULL,
      id ${text} NOT NULL,
      PRIMARY KEY (step, id)
    ) ${clustered};
  `;
}
