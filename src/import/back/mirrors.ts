/**
 * Which column of Cinder's each of ours is written back to. What is not named stays there as it was: it is Cinder's alone.
 *
 * A change is found by what the import would make of Cinder's row today: only fields in which our row differs from that are written, so what the
 * import changed on the way (a time cut to seconds, a status that was settled) is no change by itself.
 */
import type { CinderTable } from '../cinder/cinder-tables.ts';
import type { MapStep } from '../map/mapped-batch.ts';
import type { ImportedTable } from '../map/verdict.ts';

export type Written = string | number | boolean | null;

export interface Mirror {
  readonly step: MapStep;
  readonly ours: ImportedTable;
  readonly theirs: CinderTable;
  /** What tells rows apart, called the same on both sides. */
  readonly key: string;
  /** Of ours; by its name where it is called the same there. */
  readonly columns: Readonly<Record<string, string>>;
  /** JSON objects of ours that are rows there. */
  readonly values: Readonly<Record<string, { readonly table: CinderTable; readonly owner: string }>>;
  /** Of a row that is new there, beside its columns. */
  readonly fresh: Readonly<Record<string, Written>>;
  /** Of one that has gone, beside `deleted` and `deleted_at`. */
  readonly gone: Readonly<Record<string, Written | 'now'>>;
}

const same = (...names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, name]));
const STAMPS = same('created_at', 'updated_at');

export const MIRRORS: readonly Mirror[] = [
  {
    step: 'types',
    ours: 'volume_type',
    theirs: 'volume_types',
    key: 'id',
    columns: { ...STAMPS, ...same('name', 'description', 'is_public', 'qos_specs_id') },
    values: { extra_specs: { table: 'volume_type_extra_specs', owner: 'volume_type_id' } },
    fresh: {},
    gone: {},
  },
  {
    step: 'types',
    ours: 'volume_type_encryption',
    theirs: 'encryption',
    key: 'encryption_id',
    columns: { ...STAMPS, ...same('volume_type_id', 'provider', 'control_location', 'cipher', 'key_size') },
    values: {},
    fresh: {},
    gone: {},
  },
  {
    step: 'types',
    ours: 'default_volume_type',
    theirs: 'default_volume_types',
    key: 'project_id',
    columns: same('volume_type_id'),
    values: {},
    fresh: {},
    gone: {},
  },
  {
    step: 'types',
    ours: 'group_type',
    theirs: 'group_types',
    key: 'id',
    columns: { ...STAMPS, ...same('name', 'description', 'is_public') },
    values: { group_specs: { table: 'group_type_specs', owner: 'group_type_id' } },
    fresh: {},
    gone: {},
  },
  {
    step: 'groups',
    ours: 'volume_group',
    theirs: 'groups',
    key: 'id',
    columns: {
      ...STAMPS,
      ...same('user_id', 'project_id', 'host', 'availability_zone', 'name', 'description', 'group_type_id'),
      ...same('status', 'group_snapshot_id', 'source_group_id', 'replication_status'),
    },
    values: {},
    fresh: {},
    gone: { status: 'deleted' },
  },
  {
    step: 'volumes',
    ours: 'volume',
    theirs: 'volumes',
    key: 'id',
    columns: {
      ...STAMPS,
      ...same('user_id', 'project_id', 'host', 'availability_zone', 'status', 'attach_status'),
      ...same('migration_status', 'replication_status', 'provider_location', 'provider_id', 'encryption_key_id'),
      ...same('snapshot_id', 'source_volid', 'volume_type_id', 'group_id', 'bootable', 'multiattach', 'use_quota'),
      ...same('scheduled_at', 'launched_at', 'terminated_at', 'provider_auth'),
      name_id: '_name_id',
      name: 'display_name',
      description: 'display_description',
      size_gib: 'size',
    },
    values: {
      metadata: { table: 'volume_metadata', owner: 'volume_id' },
      admin_metadata: { table: 'volume_admin_metadata', owner: 'volume_id' },
      image_metadata: { table: 'volume_glance_metadata', owner: 'volume_id' },
    },
    fresh: { shared_targets: false },
    gone: { status: 'deleted', terminated_at: 'now' },
  },
  {
    step: 'volumes',
    ours: 'volume_attachment',
    theirs: 'volume_attachment',
    key: 'id',
    columns: {
      ...STAMPS,
      ...same('volume_id', 'instance_uuid', 'attached_host', 'mountpoint', 'attach_mode', 'attach_status', 'connector'),
      connection_info: 'connection_info',
      attached_at: 'attach_time',
    },
    values: {},
    fresh: {},
    gone: { attach_status: 'detached', detach_time: 'now', updated_at: 'now' },
  },
  {
    step: 'volumes',
    ours: 'transfer',
    theirs: 'transfers',
    key: 'id',
    columns: { name: 'display_name' },
    values: {},
    fresh: {},
    gone: { updated_at: 'now' },
  },
  {
    step: 'snapshots',
    ours: 'snapshot',
    theirs: 'snapshots',
    key: 'id',
    columns: {
      ...STAMPS,
      ...same('volume_id', 'user_id', 'project_id', 'status', 'progress', 'provider_location', 'provider_id'),
      ...same('encryption_key_id', 'volume_type_id', 'group_snapshot_id', 'use_quota', 'provider_auth'),
      name: 'display_name',
      description: 'display_description',
      volume_size_gib: 'volume_size',
    },
    values: {
      metadata: { table: 'snapshot_metadata', owner: 'snapshot_id' },
      image_metadata: { table: 'volume_glance_metadata', owner: 'snapshot_id' },
    },
    fresh: {},
    gone: { status: 'deleted' },
  },
  {
    step: 'group_snapshots',
    ours: 'group_snapshot',
    theirs: 'group_snapshots',
    key: 'id',
    columns: {
      ...STAMPS,
      ...same('group_id', 'user_id', 'project_id', 'name', 'description', 'status', 'group_type_id'),
    },
    values: {},
    fresh: {},
    gone: { status: 'deleted' },
  },
  {
    step: 'backups',
    ours: 'backup',
    theirs: 'backups',
    key: 'id',
    columns: {
      ...same('updated_at', 'status', 'fail_reason', 'restore_volume_id', 'parent_id'),
      name: 'display_name',
      description: 'display_description',
    },
    values: { metadata: { table: 'backup_metadata', owner: 'backup_id' } },
    fresh: {},
    gone: { status: 'deleted' },
  },
];
