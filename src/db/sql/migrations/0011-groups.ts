/**
 * Groups of volumes, and snapshots of whole groups. `volume.group_id` and `snapshot.group_snapshot_id` stand in the first schema,
 * without foreign keys: who adds a member holds the row of the group.
 *
 * The index of members gives its name to the table: both databases know tables and indexes by one set of names. No volume has a group
 * yet, so to make it anew is to look at the volumes once.
 *
 * The type of consistency groups is always there, as in Cinder.
 */
import { now, uuid } from '../../../lib/clock.ts';
import type { Dialect } from '../connection.ts';
import type { Tx } from '../tx.ts';
import type { Migration } from './migration.ts';

const CONSISTENCY_GROUP_TYPE = 'default_cgsnapshot_type';

export const groups: Migration = { version: 11, name: '0011-groups', statements, rows };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  const int = sqlite ? 'INTEGER' : 'bigint';
  const table = sqlite ? 'STRICT' : '';
  return `
    DROP INDEX volume_group;
    CREATE INDEX volume_of_group ON volume (group_id) WHERE group_id IS NOT NULL;

    CREATE TABLE volume_group (
      id ${text} PRIMARY KEY,
      project_id ${text} NOT NULL,
      user_id ${text} NOT NULL,
      name ${text},
      description ${text},
      status ${text} NOT NULL,
      host ${text},
      availability_zone ${text},
      group_type_id ${text} NOT NULL REFERENCES group_type (id),
      volume_type_ids ${text} NOT NULL,
      group_snapshot_id ${text},
      source_group_id ${text},
      replication_status ${text},
      created_at ${text} NOT NULL,
      updated_at ${text},
      revision ${int} NOT NULL
    ) ${table};
    CREATE INDEX volume_group_created ON volume_group (created_at, id);
    CREATE INDEX volume_group_project ON volume_group (project_id, created_at, id);
    CREATE INDEX volume_group_group_type ON volume_group (group_type_id);
    CREATE INDEX volume_group_group_snapshot ON volume_group (group_snapshot_id) WHERE group_snapshot_id IS NOT NULL;

    CREATE TABLE group_snapshot (
      id ${text} PRIMARY KEY,
      project_id ${text} NOT NULL,
      user_id ${text} NOT NULL,
      name ${text},
      description ${text},
      status ${text} NOT NULL,
      group_id ${text} NOT NULL REFERENCES volume_group (id),
      group_type_id ${text} NOT NULL REFERENCES group_type (id),
      created_at ${text} NOT NULL,
      updated_at ${text},
      revision ${int} NOT NULL
    ) ${table};
    CREATE INDEX group_snapshot_created ON group_snapshot (created_at, id);
    CREATE INDEX group_snapshot_project ON group_snapshot (project_id, created_at, id);
    CREATE INDEX group_snapshot_group ON group_snapshot (group_id);
    CREATE INDEX group_snapshot_group_type ON group_snapshot (group_type_id);
  `;
}

async function rows({ db }: Tx): Promise<void> {
  await db
    .insertInto('group_type')
    .values({
      id: uuid(),
      name: CONSISTENCY_GROUP_TYPE,
      description: 'The type of consistency groups.',
      is_public: 1,
      group_specs: JSON.stringify({ consistent_group_snapshot_enabled: '<is> True' }),
      created_at: now(),
      updated_at: null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
