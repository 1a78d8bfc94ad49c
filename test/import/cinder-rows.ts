/**
 * Rows as Cinder and its clients leave them, with what a test wants said otherwise. Ids are made of a letter and a number, so that they
 * are the same in each run; projects and users are hexadecimal, as Keystone makes them.
 */
import type { CinderWorld, RawCinderRow } from './cinder-world.ts';

export const PROJECT = 'c0ffee00c0ffee00c0ffee00c0ffee00';
export const USER = 'feed0000feed0000feed0000feed0000';
export const HOST = 'control1@rbd1#rbd1';
export const MADE = '2024-03-01 09:15:22';
export const CHANGED = '2024-03-01 09:15:26';

/** `id('a', 7)`: `aaaaaaaa-0000-4000-8000-000000000007` */
export const id = (letter: string, number: number): string =>
  `${letter.repeat(8)}-0000-4000-8000-${String(number).padStart(12, '0')}`;

const living = { created_at: MADE, updated_at: CHANGED, deleted_at: null, deleted: false };

export const volumeRow = (of: RawCinderRow): RawCinderRow => ({
  ...living,
  user_id: USER,
  project_id: PROJECT,
  host: HOST,
  size: 1,
  availability_zone: 'nova',
  status: 'available',
  attach_status: 'detached',
  scheduled_at: '2024-03-01 09:15:23',
  launched_at: CHANGED,
  display_name: null,
  display_description: null,
  provider_location: null,
  bootable: false,
  multiattach: false,
  migration_status: null,
  previous_status: null,
  service_uuid: null,
  shared_targets: false,
  use_quota: true,
  ...of,
});

export const snapshotRow = (of: RawCinderRow): RawCinderRow => ({
  ...living,
  user_id: USER,
  project_id: PROJECT,
  status: 'available',
  progress: '100%',
  volume_size: 1,
  display_name: null,
  display_description: null,
  use_quota: true,
  ...of,
});

/** As an attachment call with a connector leaves it. */
export const attachmentRow = (
  of: RawCinderRow & { readonly id: string; readonly volume_id: string },
): RawCinderRow => ({
  ...living,
  attached_host: 'compute1',
  instance_uuid: id('e', 1),
  mountpoint: '/dev/vdb',
  attach_time: CHANGED,
  attach_mode: 'rw',
  attach_status: 'attached',
  connector: JSON.stringify({
    host: 'compute1',
    ip: '192.0.2.11',
    initiator: 'iqn.1993-08.org.debian:01:1',
    mode: null,
  }),
  connection_info: JSON.stringify({
    name: `volumes/volume-${of.volume_id}`,
    hosts: ['192.0.2.21'],
    ports: ['6789'],
    cluster_name: 'ceph',
    auth_enabled: true,
    auth_username: 'cinder',
    secret_type: 'ceph',
    secret_uuid: id('f', 1),
    volume_id: of.volume_id,
    discard: true,
    qos_specs: null,
    access_mode: 'rw',
    encrypted: false,
    cacheable: false,
    driver_volume_type: 'rbd',
    attachment_id: of.id,
  }),
  ...of,
});

export const typeRow = (of: RawCinderRow): RawCinderRow => ({
  ...living,
  updated_at: null,
  description: null,
  qos_specs_id: null,
  is_public: true,
  ...of,
});

/** Of a key/value table; `owner` is its column, as `{ volume_id: … }`. */
export const valueRows = (owner: RawCinderRow, values: Readonly<Record<string, string>>): RawCinderRow[] =>
  Object.entries(values).map(([key, value]) => ({ ...living, updated_at: null, ...owner, key, value }));

export const deletedRow = (row: RawCinderRow): RawCinderRow => ({
  ...row,
  deleted: true,
  deleted_at: '2024-03-02 10:00:00',
});

/** The type that a new database has. */
export async function defaultTypeOf({ run }: CinderWorld): Promise<string> {
  const [row] = await run("SELECT id FROM volume_types WHERE name = '__DEFAULT__'");
  return String(row?.id);
}
