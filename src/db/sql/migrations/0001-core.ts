/**
 * The first schema.
 *
 * Text is compared byte by byte on both databases, so lists are in the same order on each and time stamps sort as time
 * does. On SQLite the tables are STRICT: what is not a number is refused, not kept as text.
 *
 * Indexes: ended flows are many and are never looked at by the engine, so what it asks for is indexed
 * `WHERE ended_at IS NULL`. The columns that each journal write changes (`seq`, `state`, `updated_at`, `doing`) stand in no
 * index, which lets PostgreSQL update the row in place; `fillfactor` leaves it room to.
 */
import { now, uuid } from '../../../lib/clock.ts';
import type { Dialect } from '../connection.ts';
import type { Tx } from '../tx.ts';
import type { Migration } from './migration.ts';

/** The volume type that always exists. */
const DEFAULT_VOLUME_TYPE = '__DEFAULT__';

export const core: Migration = { version: 1, name: '0001-core', statements, rows };

function statements(dialect: Dialect): string {
  const sqlite = dialect === 'sqlite';
  const text = sqlite ? 'TEXT' : 'text COLLATE "C"';
  const int = sqlite ? 'INTEGER' : 'bigint';
  const sequence = sqlite ? 'INTEGER PRIMARY KEY AUTOINCREMENT' : 'bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY';
  const table = sqlite ? 'STRICT' : '';
  const clustered = sqlite ? 'STRICT, WITHOUT ROWID' : '';
  const busy = sqlite ? 'STRICT' : 'WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)';
  const busyClustered = sqlite
    ? 'STRICT, WITHOUT ROWID'
    : 'WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)';

  return `
    CREATE TABLE volume_type (
      id ${text} PRIMARY KEY,
      name ${text} NOT NULL UNIQUE,
      description ${text},
      is_public ${int} NOT NULL,
      extra_specs ${text} NOT NULL,
      qos_specs_id ${text},
      created_at ${text} NOT NULL,
      updated_at ${text}
    ) ${table};

    CREATE TABLE volume_type_access (
      volume_type_id ${text} NOT NULL REFERENCES volume_type (id) ON DELETE CASCADE,
      project_id ${text} NOT NULL,
      PRIMARY KEY (volume_type_id, project_id)
    ) ${clustered};
    CREATE INDEX volume_type_access_project ON volume_type_access (project_id);

    CREATE TABLE volume (
      id ${text} PRIMARY KEY,
      name_id ${text},
      project_id ${text} NOT NULL,
      user_id ${text} NOT NULL,
      name ${text},
      description ${text},
      size_gib ${int} NOT NULL,
      status ${text} NOT NULL,
      previous_status ${text},
      attach_status ${text} NOT NULL,
      migration_status ${text},
      host ${text},
      availability_zone ${text},
      volume_type_id ${text} NOT NULL REFERENCES volume_type (id),
      snapshot_id ${text},
      source_volid ${text},
      group_id ${text},
      bootable ${int} NOT NULL,
      multiattach ${int} NOT NULL,
      use_quota ${int} NOT NULL,
      encryption_key_id ${text},
      replication_status ${text},
      provider_location ${text},
      provider_id ${text},
      managed_ref ${text},
      metadata ${text} NOT NULL,
      admin_metadata ${text} NOT NULL,
      image_metadata ${text},
      created_at ${text} NOT NULL,
      updated_at ${text},
      scheduled_at ${text},
      launched_at ${text},
      terminated_at ${text},
      revision ${int} NOT NULL
    ) ${busy};
    CREATE INDEX volume_created ON volume (created_at, id);
    CREATE INDEX volume_project ON volume (project_id, created_at, id);
    CREATE INDEX volume_host ON volume (host);
    CREATE INDEX volume_volume_type ON volume (volume_type_id);
    CREATE INDEX volume_snapshot ON volume (snapshot_id) WHERE snapshot_id IS NOT NULL;
    CREATE INDEX volume_source ON volume (source_volid) WHERE source_volid IS NOT NULL;
    CREATE INDEX volume_group ON volume (group_id) WHERE group_id IS NOT NULL;

    CREATE TABLE snapshot (
      id ${text} PRIMARY KEY,
      project_id ${text} NOT NULL,
      user_id ${text} NOT NULL,
      volume_id ${text} NOT NULL REFERENCES volume (id),
      volume_type_id ${text} NOT NULL REFERENCES volume_type (id),
      volume_size_gib ${int} NOT NULL,
      name ${text},
      description ${text},
      status ${text} NOT NULL,
      progress ${text} NOT NULL,
      group_snapshot_id ${text},
      use_quota ${int} NOT NULL,
      encryption_key_id ${text},
      provider_location ${text},
      provider_id ${text},
      managed_ref ${text},
      metadata ${text} NOT NULL,
      image_metadata ${text},
      created_at ${text} NOT NULL,
      updated_at ${text},
      revision ${int} NOT NULL
    ) ${busy};
    CREATE INDEX snapshot_created ON snapshot (created_at, id);
    CREATE INDEX snapshot_project ON snapshot (project_id, created_at, id);
    CREATE INDEX snapshot_volume ON snapshot (volume_id, created_at, id);
    CREATE INDEX snapshot_volume_type ON snapshot (volume_type_id);
    CREATE INDEX snapshot_group ON snapshot (group_snapshot_id) WHERE group_snapshot_id IS NOT NULL;

    CREATE TABLE quota_limit (
      project_id ${text} NOT NULL,
      resource ${text} NOT NULL,
      hard_limit ${int} NOT NULL,
      PRIMARY KEY (project_id, resource)
    ) ${clustered};

    CREATE TABLE quota_class_limit (
      class_name ${text} NOT NULL,
      resource ${text} NOT NULL,
      hard_limit ${int} NOT NULL,
      PRIMARY KEY (class_name, resource)
    ) ${clustered};

    CREATE TABLE quota_usage (
      project_id ${text} NOT NULL,
      resource ${text} NOT NULL,
      in_use ${int} NOT NULL,
      reserved ${int} NOT NULL,
      PRIMARY KEY (project_id, resource)
    ) ${busyClustered};

    CREATE TABLE reservation (
      id ${text} PRIMARY KEY,
      flow_id ${text} NOT NULL,
      project_id ${text} NOT NULL,
      resource ${text} NOT NULL,
      delta ${int} NOT NULL,
      UNIQUE (flow_id, project_id, resource)
    ) ${table};
    CREATE INDEX reservation_project ON reservation (project_id, resource);

    CREATE TABLE pool_usage (
      pool ${text} PRIMARY KEY,
      allocated_gib ${int} NOT NULL,
      provisioned_gib ${int} NOT NULL,
      volumes ${int} NOT NULL
    ) ${busyClustered};

    CREATE TABLE service (
      host ${text} NOT NULL,
      "binary" ${text} NOT NULL,
      uuid ${text} NOT NULL,
      availability_zone ${text} NOT NULL,
      disabled ${int} NOT NULL,
      disabled_reason ${text},
      frozen ${int} NOT NULL,
      pools ${text} NOT NULL,
      failure ${text},
      created_at ${text} NOT NULL,
      updated_at ${text} NOT NULL,
      PRIMARY KEY (host, "binary")
    ) ${busy};

    CREATE TABLE message (
      id ${text} PRIMARY KEY,
      project_id ${text} NOT NULL,
      request_id ${text} NOT NULL,
      resource_type ${text} NOT NULL,
      resource_uuid ${text} NOT NULL,
      event_id ${text} NOT NULL,
      message_level ${text} NOT NULL,
      user_message ${text} NOT NULL,
      created_at ${text} NOT NULL,
      expires_at ${text} NOT NULL
    ) ${table};
    CREATE INDEX message_created ON message (created_at, id);
    CREATE INDEX message_project ON message (project_id, created_at, id);
    CREATE INDEX message_resource ON message (resource_uuid, created_at);
    CREATE INDEX message_expires ON message (expires_at);

    CREATE TABLE outbox (
      seq ${sequence},
      message_id ${text} NOT NULL UNIQUE,
      resource ${text} NOT NULL,
      event_type ${text} NOT NULL,
      priority ${text} NOT NULL,
      publisher_id ${text} NOT NULL,
      payload ${text} NOT NULL,
      project_id ${text} NOT NULL,
      user_id ${text} NOT NULL,
      request_id ${text} NOT NULL,
      created_at ${text} NOT NULL
    ) ${table};

    CREATE TABLE outbox_delivered (
      sink ${text} NOT NULL,
      seq ${int} NOT NULL REFERENCES outbox (seq) ON DELETE CASCADE,
      PRIMARY KEY (sink, seq)
    ) ${clustered};
    CREATE INDEX outbox_delivered_seq ON outbox_delivered (seq);

    CREATE TABLE flow (
      id ${text} PRIMARY KEY,
      name ${text} NOT NULL,
      version ${int} NOT NULL,
      lane ${text} NOT NULL,
      state ${text} NOT NULL,
      input ${text} NOT NULL,
      owner ${text},
      epoch ${int} NOT NULL,
      seq ${int} NOT NULL,
      wish ${text},
      wish_reason ${text},
      claims ${int} NOT NULL,
      doing ${text},
      resource ${text} NOT NULL,
      project_id ${text} NOT NULL,
      request_id ${text} NOT NULL,
      created_at ${text} NOT NULL,
      updated_at ${text} NOT NULL,
      ended_at ${text}
    ) ${busy};
    CREATE INDEX flow_unended_lane ON flow (lane, created_at, id) WHERE ended_at IS NULL;
    CREATE INDEX flow_unended_owner ON flow (owner) WHERE ended_at IS NULL;
    CREATE INDEX flow_wished ON flow (owner) WHERE wish IS NOT NULL AND ended_at IS NULL;
    CREATE INDEX flow_ended ON flow (ended_at) WHERE ended_at IS NOT NULL;
    CREATE INDEX flow_created ON flow (created_at, id);
    CREATE INDEX flow_project ON flow (project_id, created_at, id);
    CREATE INDEX flow_resource ON flow (resource, created_at, id);

    CREATE TABLE flow_step (
      flow_id ${text} NOT NULL REFERENCES flow (id) ON DELETE CASCADE,
      seq ${int} NOT NULL,
      node ${text} NOT NULL,
      event ${text} NOT NULL,
      attempt ${int} NOT NULL,
      data ${text},
      started_at ${text},
      at ${text} NOT NULL,
      PRIMARY KEY (flow_id, seq)
    ) ${clustered};

    CREATE TABLE hold (
      resource ${text} NOT NULL,
      flow_id ${text} NOT NULL,
      mode ${text} NOT NULL,
      PRIMARY KEY (resource, flow_id)
    ) ${clustered};
    CREATE INDEX hold_flow ON hold (flow_id);

    CREATE TABLE process (
      id ${text} PRIMARY KEY,
      seen_at ${text} NOT NULL
    ) ${busyClustered};
  `;
}

async function rows({ db }: Tx): Promise<void> {
  await db
    .insertInto('volume_type')
    .values({
      id: uuid(),
      name: DEFAULT_VOLUME_TYPE,
      description: 'The type of volumes for which none is asked.',
      is_public: 1,
      extra_specs: '{}',
      qos_specs_id: null,
      created_at: now(),
      updated_at: null,
    })
    .execute();
}
