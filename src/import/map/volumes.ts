/** A volume of Cinder's as one of ours. */
import { inGiB } from '../../lib/bytes.ts';
import {
  ATTACH_STATUSES,
  BY_ATTACHMENTS,
  FREE_STATUSES,
  VOLUME_STATUSES,
  type VolumeStatus,
} from '../../model/status.ts';
import type { CinderRows } from '../cinder/cinder-tables.ts';
import { mappedHost, placeOfRow } from './host-map.ts';
import { madeAt } from './made-at.ts';
import type { MapSettings } from './map-settings.ts';
import type { MapWorld } from './map-world.ts';
import { settledVolumeStatus } from './settled-status.ts';
import { valuesOf, valuesText } from './values-of.ts';
import { FoundInRow, type ImportedRow, type ImportRefusal } from './verdict.ts';

/** A volume with what hangs on it and is needed to judge it. */
export interface CinderVolume {
  readonly row: CinderRows['volumes'];
  readonly metadata: readonly CinderRows['volume_metadata'][];
  readonly adminMetadata: readonly CinderRows['volume_admin_metadata'][];
  readonly imageMetadata: readonly CinderRows['volume_glance_metadata'][];
  readonly attachments: readonly CinderRows['volume_attachment'][];
  /** A transfer waits to be accepted. */
  readonly isOffered: boolean;
}

/** What its backend has under its name; undefined: nobody looked. It decides nothing, and is only told. */
export type OnBackend = { readonly bytes: number; readonly unservable?: string } | 'absent' | undefined;

export type VolumeVerdict =
  | { readonly row: ImportedRow<'volume'>; readonly findings: FoundInRow['findings'] }
  | { readonly refused: ImportRefusal };

export const MAKE_GENERIC =
  '`cinder-manage db online_data_migrations` makes consistency groups generic groups, which come in';

/** The key of all volumes where keys are kept by ConfKeyManager. */
const FIXED_KEY = '00000000-0000-0000-0000-000000000000';

/** Why its row cannot come in, by the row alone; undefined: it can. What hangs on it asks so, too. */
export function refusalOfVolume(
  row: CinderRows['volumes'],
  world: MapWorld,
  onBackend?: OnBackend,
): ImportRefusal | undefined {
  const found = new FoundInRow('volume', row.id);
  const { settings, types, adopted, failedOver } = world;
  const refused = (() => {
    if (row.project_id === null)
      return found.refused('project-missing', 'has no project', 'set its project_id in the Cinder database');
    if (row.deleted !== true && !VOLUME_STATUSES.some((status) => status === row.status))
      return found.refused(
        'status-unknown',
        `has the status ${JSON.stringify(row.status)}, which no release of Cinder gives`,
        'give it one that is true with `openstack volume set --state`',
      );
    if (!types.has(row.volume_type_id ?? '') && adopted === null)
      return found.refused(
        'type-missing',
        !row.volume_type_id ? 'has no type' : `is of type ${row.volume_type_id}, which was never there`,
        'say which type such volumes are to be of',
        '--adopt-type',
      );
    if (row.size === null)
      return found.refused(
        'size-missing',
        'has no size',
        typeof onBackend === 'object'
          ? `set its size in the Cinder database to ${inGiB(onBackend.bytes)}, the GiB of its image`
          : 'set its size in the Cinder database to that of its image on the backend, in GiB rounded up',
      );
    if (row.encryption_key_id === FIXED_KEY)
      return found.refused(
        'fixed-key',
        'is encrypted with the fixed key of cinder.conf',
        'let Cinder move its keys to Barbican first ([key_manager] backend = barbican, fixed_key left where it is)',
      );
    const place = placeOfRow(row);
    if (place === null)
      return row.status === 'error' || row.status === 'creating' || row.deleted === true
        ? undefined
        : found.refused('host-missing', `is ${row.status}, and on no host`, 'reset its state to error, or delete it');
    if (failedOver.has(hostPart(place)))
      return found.refused(
        'failed-over',
        `is on ${hostPart(place)}, which was failed over to another site`,
        'fail it back with `cinder failover-host --backend_id default`, or freeze and promote the other site for good',
      );
    if (mappedHost(settings.hosts, place) === undefined)
      return found.refused(
        'host-unmapped',
        `is on ${place}, which is no backend here`,
        'say which backend that is, or give a section here its name and backend_host',
        '--map-host',
      );
    return undefined;
  })();
  return refused?.refused;
}

export function mapVolume(volume: CinderVolume, world: MapWorld, onBackend?: OnBackend): VolumeVerdict {
  const { row } = volume;
  const refused = refusalOfVolume(row, world, onBackend);
  if (refused !== undefined) return { refused };
  const found = new FoundInRow('volume', row.id);
  const { settings } = world;
  const place = placeOfRow(row);
  const isTarget = row.migration_status?.startsWith('target:') === true;
  const adminMetadata = valuesOf(volume.adminMetadata, 'administrative metadata', found);
  const isRevived = row.deleted === true;
  if (isRevived) found.add('volume-deleted', 'is deleted, and snapshots of it live', 'it comes back as an error');
  const said = isTarget || isRevived ? 'error' : statusOf(volume, found);
  const status = compared(row.size as number, said, onBackend, settings, found);
  const migrationStatus = migrationStatusOf(row.migration_status, found);
  if (row.consistencygroup_id !== null)
    found.add(
      'consistency-group',
      `is in consistency group ${row.consistencygroup_id}`,
      `it comes in without; ${MAKE_GENERIC}`,
    );
  return {
    row: {
      id: row.id,
      name_id: row._name_id,
      project_id: row.project_id as string,
      user_id: row.user_id,
      name: row.display_name,
      description: row.display_description,
      size_gib: row.size as number,
      status,
      // Cinder leaves there what it was before its last work, also when that is long over.
      previous_status: null,
      attach_status: isRevived ? 'detached' : attachStatusOf(volume, found),
      migration_status: migrationStatus,
      host: place === null ? null : (mappedHost(settings.hosts, place) as string),
      availability_zone: row.availability_zone,
      volume_type_id: typeOf(row.volume_type_id, world, found),
      snapshot_id: row.snapshot_id,
      source_volid: row.source_volid,
      group_id: row.group_id,
      bootable: Number(row.bootable === true),
      multiattach: Number(row.multiattach === true),
      use_quota: Number(isTarget ? false : (row.use_quota ?? adminMetadata.temporary !== 'True')),
      encryption_key_id: row.encryption_key_id,
      replication_status: row.replication_status,
      provider_location: row.provider_location,
      provider_id: row.provider_id,
      provider_auth: row.provider_auth,
      managed_ref: null,
      metadata: valuesText(volume.metadata, 'metadata key', found),
      admin_metadata: JSON.stringify(adminMetadata),
      image_metadata:
        volume.imageMetadata.length === 0 ? null : valuesText(volume.imageMetadata, 'image metadata key', found),
      next_image_metadata: null,
      created_at: madeAt(row.created_at, [row.scheduled_at, row.launched_at, row.updated_at], settings.now, found),
      updated_at: row.updated_at,
      scheduled_at: row.scheduled_at,
      launched_at: row.launched_at,
      terminated_at: row.terminated_at,
    },
    findings: found.findings,
  };
}

/** `HOST@BACKEND` of a place. */
const hostPart = (place: string): string => place.split('#')[0] ?? place;

/** The status of a row beside what its backend has: what is there is not changed, and data never made. */
function compared(
  size: number,
  status: VolumeStatus,
  onBackend: OnBackend,
  { missingAsError }: Pick<MapSettings, 'missingAsError'>,
  found: FoundInRow,
): VolumeStatus {
  if (onBackend === 'absent' && (BY_ATTACHMENTS as readonly string[]).includes(status)) {
    found.add(
      'image-missing',
      `is ${status}, and its backend has nothing of its name`,
      missingAsError
        ? 'it comes in as error: bring its image back and reset its state, or delete it'
        : 'it comes in as it is, and the doctor names it: bring its image back, or let such rows come in as errors with --missing-as-error',
    );
    return missingAsError ? 'error' : status;
  }
  tellUnservable(onBackend, status, found);
  if (typeof onBackend === 'object' && inGiB(onBackend.bytes) !== size)
    found.add(
      'size-differs',
      `has ${size} GiB, and its image on the backend ${inGiB(onBackend.bytes)}`,
      'it comes in with what it says; where its image is larger, extend it to that',
    );
  return status;
}

/** Of a volume or a snapshot. */
export function tellUnservable(onBackend: OnBackend, status: string, found: FoundInRow): void {
  if (typeof onBackend !== 'object' || onBackend.unservable === undefined) return;
  found.add(
    'image-unservable',
    `is ${status}, and what its backend has of its name ${onBackend.unservable}`,
    'it comes in as it is, and nothing can be done with it here; let Cinder move it there first',
  );
}

function typeOf(typeId: string | null, { types, adopted }: MapWorld, found: FoundInRow): string {
  if (typeId !== null && types.has(typeId)) return typeId;
  const name = types.get(adopted as string)?.name;
  found.add(
    'type-missing',
    `is of ${!typeId ? 'no type' : `type ${typeId}, which was never there`}`,
    `it comes in as one of type ${name}`,
  );
  return adopted as string;
}

/** Of one that is no target of a migration. */
function statusOf({ row, attachments, isOffered }: CinderVolume, found: FoundInRow): VolumeStatus {
  const before = VOLUME_STATUSES.find(
    (status) => status === row.previous_status && (status === 'available' || status === 'in-use'),
  );
  const isAttached = attachments.some(({ attach_status }) => attach_status === 'attached');
  const status = settledVolumeStatus(
    row.status,
    before ?? (isAttached ? 'in-use' : 'available'),
    found,
  ) as VolumeStatus;
  if (status === 'awaiting-transfer' && !isOffered) {
    found.add('transfer-missing', 'is awaiting-transfer, and no transfer waits', 'it comes in as available');
    return 'available';
  }
  if (FREE_STATUSES.includes(status) && isAttached)
    found.add(
      'attached-yet-free',
      `is ${status}, and an attachment lives`,
      'it comes in as it is; end the attachment when no server uses it',
    );
  else if (status === 'in-use' && attachments.length === 0)
    found.add(
      'in-use-unattached',
      'is in-use, and has no attachment',
      'it comes in as it is; reset its state when nothing has it open',
    );
  return status;
}

function attachStatusOf({ row, attachments }: CinderVolume, found: FoundInRow): string {
  if (ATTACH_STATUSES.some((status) => status === row.attach_status)) return row.attach_status as string;
  const is = attachments.some(({ attach_status }) => attach_status === 'attached') ? 'attached' : 'detached';
  found.add(
    'attach-status-unknown',
    `has the attach status ${JSON.stringify(row.attach_status)}`,
    `it comes in as ${is}`,
  );
  return is;
}

const MIGRATION_ENDED: ReadonlySet<string> = new Set(['success', 'error', 'none']);

function migrationStatusOf(status: string | null, found: FoundInRow): string | null {
  if (status === null || MIGRATION_ENDED.has(status)) return status;
  const isTarget = status.startsWith('target:');
  found.add(
    'half-migrated',
    isTarget
      ? `is what volume ${status.slice('target:'.length)} was being migrated to`
      : `is in the middle of a migration (${status})`,
    isTarget
      ? 'it comes in as error, outside of the quota, and is never deleted by itself; delete it when the other volume is whole'
      : 'it comes in with the migration failed; its data is where its host says',
  );
  return 'error';
}
