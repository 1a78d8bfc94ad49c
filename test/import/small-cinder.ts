/** A small living Cinder: some of everything that comes in, as its clients leave it, all of it right. */
import {
  attachmentRow,
  CHANGED,
  defaultTypeOf,
  HOST,
  id,
  MADE,
  PROJECT,
  snapshotRow,
  typeRow,
  USER,
  valueRows,
  volumeRow,
} from './cinder-rows.ts';
import type { CinderWorld, RawCinderRow } from './cinder-world.ts';

export const OTHER_PROJECT = 'badc0de0badc0de0badc0de0badc0de0';
/** Volumes `id('a', 1…)`, every second of them in `OTHER_PROJECT`. */
export const VOLUMES = 24;
export const HOSTS: ReadonlyMap<string, string> = new Map([['control1@rbd1', 'node@file']]);

const living = { created_at: MADE, updated_at: null, deleted_at: null, deleted: false };

export async function smallCinder(world: CinderWorld): Promise<void> {
  const { insert } = world;
  const byDefault = await defaultTypeOf(world);
  const fast = id('d', 1);
  await insert(
    'quality_of_service_specs',
    { ...living, id: id('9', 1), specs_id: null, key: 'QoS_Specs_Name', value: 'slow' },
    { ...living, id: id('9', 2), specs_id: id('9', 1), key: 'consumer', value: 'front-end' },
    { ...living, id: id('9', 3), specs_id: id('9', 1), key: 'total_iops_sec', value: '100' },
  );
  await insert('volume_types', typeRow({ id: fast, name: 'fast', qos_specs_id: id('9', 1), is_public: false }));
  await insert('volume_type_extra_specs', ...valueRows({ volume_type_id: fast }, { volume_backend_name: 'rbd1' }));
  await insert('volume_type_projects', {
    created_at: MADE,
    updated_at: null,
    deleted_at: null,
    deleted: 0,
    volume_type_id: fast,
    project_id: PROJECT,
  });
  await insert('encryption', {
    ...living,
    encryption_id: id('8', 1),
    volume_type_id: fast,
    provider: 'luks',
    control_location: 'front-end',
    cipher: 'aes-xts-plain64',
    key_size: 256,
  });
  await insert('default_volume_types', { ...living, project_id: PROJECT, volume_type_id: fast });
  await insert('group_types', { ...living, id: id('7', 1), name: 'together', description: null, is_public: false });
  await insert('group_type_specs', ...valueRows({ group_type_id: id('7', 1) }, { k: 'v' }));
  await insert('group_type_projects', { ...living, group_type_id: id('7', 1), project_id: PROJECT });
  await insert('groups', {
    ...living,
    id: id('6', 1),
    user_id: USER,
    project_id: PROJECT,
    host: HOST,
    availability_zone: 'nova',
    name: 'g',
    description: null,
    group_type_id: id('7', 1),
    status: 'available',
    replication_status: 'disabled',
  });
  await insert('group_volume_type_mapping', { ...living, volume_type_id: fast, group_id: id('6', 1) });
  await insert('group_snapshots', {
    ...living,
    id: id('5', 1),
    group_id: id('6', 1),
    user_id: USER,
    project_id: PROJECT,
    name: 'gs',
    description: null,
    status: 'available',
    group_type_id: id('7', 1),
  });
  for (let n = 1; n <= VOLUMES; n++) await insertVolume(world, n, n % 3 === 0 ? fast : byDefault);
  await insert('transfers', {
    ...living,
    id: id('4', 1),
    volume_id: id('a', 2),
    display_name: 'gift',
    salt: 'b1ec5a1d',
    crypt_hash: '6ebf70eef509b1a9fa29029630b1569100a3745d',
    expires_at: null,
    no_snapshots: false,
    source_project_id: OTHER_PROJECT,
    destination_project_id: null,
    accepted: false,
  });
  await insert('backups', {
    ...living,
    id: id('3', 1),
    volume_id: id('a', 1),
    user_id: USER,
    project_id: PROJECT,
    host: 'control1',
    availability_zone: 'nova',
    display_name: 'b',
    display_description: null,
    container: 'volumebackups',
    status: 'available',
    service: 'cinder.backup.drivers.posix.PosixBackupDriver',
    service_metadata: 'x',
    size: 1,
    object_count: 3,
    snapshot_id: null,
    parent_id: null,
    data_timestamp: MADE,
  });
  await insert('messages', {
    ...living,
    id: id('2', 1),
    project_id: PROJECT,
    request_id: 'req-1',
    resource_type: 'VOLUME',
    resource_uuid: id('a', 1),
    event_id: 'VOLUME_VOLUME_007_003',
    message_level: 'ERROR',
    expires_at: '2099-01-01 00:00:00',
    detail_id: '003',
    action_id: '007',
  });
  await insert('services', {
    ...living,
    updated_at: CHANGED,
    host: 'control1@rbd1',
    binary: 'cinder-volume',
    topic: 'cinder-volume',
    report_count: 5,
    disabled: true,
    disabled_reason: 'repairs',
    availability_zone: 'nova',
    uuid: id('1', 1),
    frozen: false,
  });
  await insert(
    'quotas',
    { ...living, project_id: PROJECT, resource: 'volumes', hard_limit: 50 },
    { ...living, project_id: OTHER_PROJECT, resource: 'gigabytes', hard_limit: -1 },
  );
  await insert('quota_usages', {
    ...living,
    project_id: PROJECT,
    resource: 'volumes',
    in_use: 99,
    reserved: 1,
    until_refresh: null,
  });
}

async function insertVolume({ insert }: CinderWorld, n: number, type: string): Promise<void> {
  const volume_id = id('a', n);
  const project_id = n % 2 === 0 ? OTHER_PROJECT : PROJECT;
  const attached = n % 4 === 1;
  const particular: RawCinderRow = attached
    ? { status: 'in-use', attach_status: 'attached' }
    : n === 2
      ? { status: 'awaiting-transfer', previous_status: 'available' }
      : n === 6
        ? { user_id: null, provider_auth: 'CHAP user planted-password' }
        : {};
  await insert(
    'volumes',
    volumeRow({
      id: volume_id,
      project_id,
      volume_type_id: type,
      display_name: `volume ${n}`,
      size: n,
      bootable: n % 5 === 0,
      ...particular,
      ...(n === 3 && { group_id: id('6', 1) }),
    }),
  );
  await insert('volume_metadata', ...valueRows({ volume_id }, { stage: `s${n}`, Owner: 'somebody' }));
  if (attached) {
    await insert('volume_attachment', attachmentRow({ id: id('b', n), volume_id }));
    await insert('volume_admin_metadata', ...valueRows({ volume_id }, { attached_mode: 'rw' }));
  }
  if (n % 5 === 0)
    await insert('volume_glance_metadata', ...valueRows({ volume_id }, { min_ram: '0', disk_format: 'raw' }));
  if (n % 3 !== 0) return;
  await insert(
    'snapshots',
    snapshotRow({ id: id('c', n), volume_id, project_id, volume_type_id: type, volume_size: n }),
  );
  await insert('snapshot_metadata', ...valueRows({ snapshot_id: id('c', n) }, { why: 'nightly' }));
}
