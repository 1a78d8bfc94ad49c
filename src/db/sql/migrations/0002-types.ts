/**
 * What an administrator says beside the volume types: quality of service, encryption, the default type of a project, and the
 * types of groups.
 *
 * `volume_type.qos_specs_id` stands in the first schema, without a foreign key; an association is made and its specs are
 * deleted under a lock of the specs' row.
 */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const types: Migration = { version: 2, name: '0002-types', statements };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  const int = sqlite ? 'INTEGER' : 'bigint';
  const table = sqlite ? 'STRICT' : '';
  const clustered = sqlite ? 'STRICT, WITHOUT ROWID' : '';

  return `
    CREATE TABLE qos_specs (
      id ${text} PRIMARY KEY,
      name ${text} NOT NULL UNIQUE,
      consumer ${text} NOT NULL,
      specs ${text} NOT NULL,
      created_at ${text} NOT NULL,
      updated_at ${text}
    ) ${table};
    CREATE INDEX volume_type_qos_specs ON volume_type (qos_specs_id) WHERE qos_specs_id IS NOT NULL;

    CREATE TABLE volume_type_encryption (
      encryption_id ${text} PRIMARY KEY,
      volume_type_id ${text} NOT NULL UNIQUE REFERENCES volume_type (id) ON DELETE CASCADE,
      provider ${text} NOT NULL,
      control_location ${text} NOT NULL,
      cipher ${text},
      key_size ${int},
      created_at ${text} NOT NULL,
      updated_at ${text}
    ) ${table};

    CREATE TABLE default_volume_type (
      project_id ${text} PRIMARY KEY,
      volume_type_id ${text} NOT NULL REFERENCES volume_type (id)
    ) ${clustered};
    CREATE INDEX default_volume_type_type ON default_volume_type (volume_type_id);

    CREATE TABLE group_type (
      id ${text} PRIMARY KEY,
      name ${text} NOT NULL UNIQUE,
      description ${text},
      is_public ${int} NOT NULL,
      group_specs ${text} NOT NULL,
      created_at ${text} NOT NULL,
      updated_at ${text}
    ) ${table};
  `;
}
