/**
 * The tables of a Cinder database that are read, column by column: what is named here is asked for, and nothing else. The same
 * from Zed to 2026; which columns a database really has is looked at when it is opened.
 *
 * A `?` says that the column may be null. `flag` is `tinyint(1)` on MySQL and `boolean` on PostgreSQL, `time` is `datetime` or
 * `timestamp`, in UTC. Rows come as `CinderRows` has them, the same of both.
 */
import type { Timestamp } from '../../lib/clock.ts';

/** How a row says that it is gone: a flag, a number that is not 0, or not at all since it is removed for good. */
type Deletion = 'flag' | 'number' | 'never';

interface TableShape {
  /** What it is ordered by, and batches continue after. */
  readonly key: string;
  readonly deletion: Deletion;
  readonly columns: Readonly<Record<string, ColumnKind>>;
}

export type ColumnKind = 'text' | 'text?' | 'number' | 'number?' | 'flag' | 'flag?' | 'time' | 'time?';

const STAMPS = { created_at: 'time?', updated_at: 'time?' } as const;

/** Keys and values of another table's rows. The greater id counts where a key lives twice. */
const valuesOf = <const Owner extends string>(owner: Owner) =>
  ({
    key: 'id',
    deletion: 'flag',
    columns: { id: 'number', [owner]: 'text', key: 'text?', value: 'text?' } as {
      readonly id: 'number';
      readonly key: 'text?';
      readonly value: 'text?';
    } & { readonly [column in Owner]: 'text' },
  }) as const;

export const CINDER_TABLES = {
  volumes: {
    key: 'id',
    deletion: 'flag',
    columns: {
      ...STAMPS,
      id: 'text',
      _name_id: 'text?',
      user_id: 'text?',
      project_id: 'text?',
      host: 'text?',
      cluster_name: 'text?',
      service_uuid: 'text?',
      size: 'number?',
      availability_zone: 'text?',
      status: 'text?',
      previous_status: 'text?',
      attach_status: 'text?',
      migration_status: 'text?',
      replication_status: 'text?',
      display_name: 'text?',
      display_description: 'text?',
      provider_location: 'text?',
      provider_auth: 'text?',
      provider_id: 'text?',
      encryption_key_id: 'text?',
      snapshot_id: 'text?',
      source_volid: 'text?',
      volume_type_id: 'text?',
      group_id: 'text?',
      consistencygroup_id: 'text?',
      bootable: 'flag?',
      multiattach: 'flag?',
      shared_targets: 'flag?',
      use_quota: 'flag?',
      scheduled_at: 'time?',
      launched_at: 'time?',
      terminated_at: 'time?',
      deleted: 'flag?',
    },
  },
  volume_metadata: valuesOf('volume_id'),
  volume_admin_metadata: valuesOf('volume_id'),
  /** Of a volume or of a snapshot. */
  volume_glance_metadata: {
    key: 'id',
    deletion: 'flag',
    columns: { id: 'number', volume_id: 'text?', snapshot_id: 'text?', key: 'text?', value: 'text?' },
  },
  volume_attachment: {
    key: 'id',
    deletion: 'flag',
    columns: {
      ...STAMPS,
      id: 'text',
      volume_id: 'text',
      instance_uuid: 'text?',
      attached_host: 'text?',
      mountpoint: 'text?',
      attach_time: 'time?',
      attach_mode: 'text?',
      attach_status: 'text?',
      connection_info: 'text?',
      connector: 'text?',
    },
  },
  snapshots: {
    key: 'id',
    deletion: 'flag',
    columns: {
      ...STAMPS,
      id: 'text',
      volume_id: 'text',
      user_id: 'text?',
      project_id: 'text?',
      status: 'text?',
      progress: 'text?',
      volume_size: 'number?',
      display_name: 'text?',
      display_description: 'text?',
      provider_location: 'text?',
      provider_auth: 'text?',
      provider_id: 'text?',
      encryption_key_id: 'text?',
      volume_type_id: 'text?',
      group_snapshot_id: 'text?',
      cgsnapshot_id: 'text?',
      use_quota: 'flag?',
    },
  },
  snapshot_metadata: valuesOf('snapshot_id'),
  volume_types: {
    key: 'id',
    deletion: 'flag',
    columns: {
      ...STAMPS,
      id: 'text',
      name: 'text?',
      description: 'text?',
      qos_specs_id: 'text?',
      is_public: 'flag?',
      deleted: 'flag?',
    },
  },
  volume_type_extra_specs: valuesOf('volume_type_id'),
  volume_type_projects: {
    key: 'id',
    deletion: 'number',
    columns: { id: 'number', volume_type_id: 'text?', project_id: 'text?' },
  },
  encryption: {
    key: 'encryption_id',
    deletion: 'flag',
    columns: {
      ...STAMPS,
      encryption_id: 'text',
      volume_type_id: 'text',
      provider: 'text',
      control_location: 'text',
      cipher: 'text?',
      key_size: 'number?',
    },
  },
  default_volume_types: {
    key: 'project_id',
    deletion: 'flag',
    columns: { project_id: 'text', volume_type_id: 'text?' },
  },
  /** A parent says `QoS_Specs_Name`; its children, by `specs_id`, say the rest, `consumer` among them. */
  quality_of_service_specs: {
    key: 'id',
    deletion: 'flag',
    columns: { ...STAMPS, id: 'text', specs_id: 'text?', key: 'text?', value: 'text?' },
  },
  group_types: {
    key: 'id',
    deletion: 'flag',
    columns: { ...STAMPS, id: 'text', name: 'text', description: 'text?', is_public: 'flag?', deleted: 'flag?' },
  },
  group_type_specs: valuesOf('group_type_id'),
  group_type_projects: {
    key: 'id',
    deletion: 'flag',
    columns: { id: 'number', group_type_id: 'text?', project_id: 'text?' },
  },
  groups: {
    key: 'id',
    deletion: 'flag',
    columns: {
      ...STAMPS,
      id: 'text',
      user_id: 'text?',
      project_id: 'text?',
      host: 'text?',
      cluster_name: 'text?',
      availability_zone: 'text?',
      name: 'text?',
      description: 'text?',
      group_type_id: 'text?',
      status: 'text?',
      group_snapshot_id: 'text?',
      source_group_id: 'text?',
      replication_status: 'text?',
    },
  },
  group_volume_type_mapping: {
    key: 'id',
    deletion: 'flag',
    columns: { id: 'number', volume_type_id: 'text', group_id: 'text' },
  },
  group_snapshots: {
    key: 'id',
    deletion: 'flag',
    columns: {
      ...STAMPS,
      id: 'text',
      group_id: 'text',
      user_id: 'text?',
      project_id: 'text?',
      name: 'text?',
      description: 'text?',
      status: 'text?',
      group_type_id: 'text?',
    },
  },
  consistencygroups: {
    key: 'id',
    deletion: 'flag',
    columns: { id: 'text', project_id: 'text?', name: 'text?', status: 'text?' },
  },
  cgsnapshots: {
    key: 'id',
    deletion: 'flag',
    columns: { id: 'text', project_id: 'text?', name: 'text?', consistencygroup_id: 'text' },
  },
  transfers: {
    key: 'id',
    deletion: 'flag',
    columns: {
      ...STAMPS,
      id: 'text',
      volume_id: 'text',
      display_name: 'text?',
      salt: 'text?',
      crypt_hash: 'text?',
      expires_at: 'time?',
      no_snapshots: 'flag?',
      source_project_id: 'text?',
      destination_project_id: 'text?',
      accepted: 'flag?',
    },
  },
  backups: {
    key: 'id',
    deletion: 'flag',
    columns: {
      ...STAMPS,
      id: 'text',
      volume_id: 'text',
      snapshot_id: 'text?',
      parent_id: 'text?',
      user_id: 'text?',
      project_id: 'text?',
      host: 'text?',
      availability_zone: 'text?',
      display_name: 'text?',
      display_description: 'text?',
      container: 'text?',
      status: 'text?',
      fail_reason: 'text?',
      service: 'text?',
      service_metadata: 'text?',
      size: 'number?',
      object_count: 'number?',
      data_timestamp: 'time?',
      restore_volume_id: 'text?',
      temp_volume_id: 'text?',
      temp_snapshot_id: 'text?',
      encryption_key_id: 'text?',
    },
  },
  backup_metadata: valuesOf('backup_id'),
  messages: {
    key: 'id',
    deletion: 'flag',
    columns: {
      created_at: 'time?',
      id: 'text',
      project_id: 'text',
      request_id: 'text?',
      resource_type: 'text?',
      resource_uuid: 'text?',
      event_id: 'text',
      message_level: 'text',
      expires_at: 'time?',
      detail_id: 'text?',
      action_id: 'text?',
    },
  },
  services: {
    key: 'id',
    deletion: 'flag',
    columns: {
      ...STAMPS,
      id: 'number',
      host: 'text?',
      binary: 'text?',
      uuid: 'text?',
      availability_zone: 'text?',
      disabled: 'flag?',
      disabled_reason: 'text?',
      frozen: 'flag?',
      cluster_name: 'text?',
      replication_status: 'text?',
      active_backend_id: 'text?',
    },
  },
  quotas: {
    key: 'id',
    deletion: 'flag',
    columns: { id: 'number', project_id: 'text?', resource: 'text', hard_limit: 'number?' },
  },
  quota_classes: {
    key: 'id',
    deletion: 'flag',
    columns: { id: 'number', class_name: 'text?', resource: 'text?', hard_limit: 'number?' },
  },
  quota_usages: {
    key: 'id',
    deletion: 'flag',
    columns: { id: 'number', project_id: 'text?', resource: 'text?', in_use: 'number', reserved: 'number' },
  },
  reservations: {
    key: 'id',
    deletion: 'flag',
    columns: { id: 'number', project_id: 'text?', resource: 'text?', delta: 'number' },
  },
  /** What is being worked at; one row, `SENTINEL`, says only how exact the database's clock is. */
  workers: {
    key: 'id',
    deletion: 'never',
    columns: { id: 'number', resource_type: 'text', resource_id: 'text', status: 'text' },
  },
  image_volume_cache_entries: {
    key: 'id',
    deletion: 'never',
    columns: {
      id: 'number',
      host: 'text',
      cluster_name: 'text?',
      image_id: 'text',
      image_updated_at: 'time?',
      volume_id: 'text',
      size: 'number',
      last_used: 'time',
    },
  },
} as const satisfies Record<string, TableShape>;

export type CinderTable = keyof typeof CINDER_TABLES;

type ValueOf<Kind extends ColumnKind> = Kind extends `${infer Sure}?`
  ? KnownValues[Sure & keyof KnownValues] | null
  : KnownValues[Kind & keyof KnownValues];

interface KnownValues {
  text: string;
  number: number;
  flag: boolean;
  /** `2026-01-31T12:00:00.000000`, UTC. */
  time: Timestamp;
}

/** A row of each table. */
export type CinderRows = {
  readonly [Table in CinderTable]: {
    readonly [Column in keyof (typeof CINDER_TABLES)[Table]['columns']]: ValueOf<
      (typeof CINDER_TABLES)[Table]['columns'][Column] & ColumnKind
    >;
  };
};

export type CinderColumn<Table extends CinderTable> = keyof CinderRows[Table] & string;

/** The value of its key that a batch continues after. */
export type CinderKey = string | number;
