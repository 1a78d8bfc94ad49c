/** Rows as the reader hands them on, with what a test wants said otherwise; and a world that they are judged in. */
import type { CinderRows } from '../../src/import/cinder/cinder-tables.ts';
import type { MapSettings } from '../../src/import/map/map-settings.ts';
import type { MapWorld } from '../../src/import/map/map-world.ts';
import { namesOfTypes } from '../../src/import/map/type-names.ts';
import type { CinderVolume } from '../../src/import/map/volumes.ts';
import { HOST, id, PROJECT, USER } from './cinder-rows.ts';

export const MADE = '2024-03-01T09:15:22.000000';
export const CHANGED = '2024-03-01T09:15:26.000000';
export const NOW = '2026-11-30T12:00:00.000000';
export const TYPE = id('7', 1);
export const GROUP_TYPE = id('8', 1);

export const aVolume = (of: Partial<CinderRows['volumes']> = {}): CinderRows['volumes'] => ({
  created_at: MADE,
  updated_at: CHANGED,
  id: id('a', 1),
  _name_id: null,
  user_id: USER,
  project_id: PROJECT,
  host: HOST,
  cluster_name: null,
  service_uuid: id('9', 1),
  size: 3,
  availability_zone: 'nova',
  status: 'available',
  previous_status: null,
  attach_status: 'detached',
  migration_status: null,
  replication_status: null,
  display_name: 'database',
  display_description: null,
  provider_location: null,
  provider_auth: null,
  provider_id: null,
  encryption_key_id: null,
  snapshot_id: null,
  source_volid: null,
  volume_type_id: TYPE,
  group_id: null,
  consistencygroup_id: null,
  bootable: false,
  multiattach: false,
  shared_targets: false,
  use_quota: true,
  scheduled_at: '2024-03-01T09:15:23.000000',
  launched_at: CHANGED,
  terminated_at: null,
  deleted: false,
  ...of,
});

export const cinderVolume = (
  row: Partial<CinderRows['volumes']> = {},
  of: Partial<Omit<CinderVolume, 'row'>> = {},
): CinderVolume => ({
  row: aVolume(row),
  metadata: [],
  adminMetadata: [],
  imageMetadata: [],
  attachments: [],
  isOffered: false,
  ...of,
});

export const aSnapshot = (of: Partial<CinderRows['snapshots']> = {}): CinderRows['snapshots'] => ({
  created_at: MADE,
  updated_at: CHANGED,
  id: id('b', 1),
  volume_id: id('a', 1),
  user_id: USER,
  project_id: PROJECT,
  status: 'available',
  progress: '100%',
  volume_size: 3,
  display_name: null,
  display_description: null,
  provider_location: null,
  provider_auth: null,
  provider_id: null,
  encryption_key_id: null,
  volume_type_id: TYPE,
  group_snapshot_id: null,
  cgsnapshot_id: null,
  use_quota: true,
  ...of,
});

export const anAttachment = (of: Partial<CinderRows['volume_attachment']> = {}): CinderRows['volume_attachment'] => ({
  created_at: MADE,
  updated_at: CHANGED,
  id: id('c', 1),
  volume_id: id('a', 1),
  instance_uuid: id('e', 1),
  attached_host: 'compute1',
  mountpoint: '/dev/vdb',
  attach_time: CHANGED,
  attach_mode: 'rw',
  attach_status: 'attached',
  connection_info: null,
  connector: null,
  ...of,
});

export const aType = (of: Partial<CinderRows['volume_types']> = {}): CinderRows['volume_types'] => ({
  created_at: MADE,
  updated_at: null,
  id: TYPE,
  name: 'ssd',
  description: null,
  qos_specs_id: null,
  is_public: true,
  deleted: false,
  ...of,
});

export const aGroupType = (of: Partial<CinderRows['group_types']> = {}): CinderRows['group_types'] => ({
  created_at: MADE,
  updated_at: null,
  id: GROUP_TYPE,
  name: 'consistent',
  description: null,
  is_public: true,
  deleted: false,
  ...of,
});

/** A living row of a key/value table. */
export const aValue = <Owner extends string>(owner: Owner, of: string, rowId: number, key: string, value: string) =>
  ({ id: rowId, [owner]: of, key, value }) as { id: number; key: string; value: string } & {
    [column in Owner]: string;
  };

export const settings = (of: Partial<MapSettings> = {}): MapSettings => ({
  hosts: new Map([['control1@rbd1', 'control1@rbd1']]),
  adoptType: null,
  revive: false,
  now: NOW,
  ...of,
});

export function aWorld(
  of: Partial<MapSettings> = {},
  rows: { types?: readonly CinderRows['volume_types'][]; groupTypes?: readonly CinderRows['group_types'][] } = {},
): MapWorld {
  const typeRows = rows.types ?? [aType()];
  const groupTypeRows = rows.groupTypes ?? [aGroupType()];
  const all = settings(of);
  return {
    settings: all,
    typeRows,
    types: namesOfTypes(typeRows),
    groupTypeRows,
    groupTypes: namesOfTypes(groupTypeRows),
    adopted: all.adoptType,
    failedOver: new Set(),
    revived: [],
  };
}
