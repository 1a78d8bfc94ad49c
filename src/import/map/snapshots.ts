/** A snapshot of Cinder's as one of ours. Its volume comes in, or it cannot. */
import type { CinderRows } from '../cinder/cinder-tables.ts';
import { madeAt } from './made-at.ts';
import type { MapWorld } from './map-world.ts';
import { settledSnapshotStatus } from './settled-status.ts';
import { valuesText } from './values-of.ts';
import { FoundInRow, type ImportedRow, type ImportRefusal } from './verdict.ts';
import { MAKE_GENERIC, type OnBackend, refusalOfVolume, tellUnservable } from './volumes.ts';

export interface CinderSnapshot {
  readonly row: CinderRows['snapshots'];
  /** Its volume, even where that is deleted; undefined: there is no row of it. */
  readonly volume: CinderRows['volumes'] | undefined;
  readonly metadata: readonly CinderRows['snapshot_metadata'][];
  readonly imageMetadata: readonly CinderRows['volume_glance_metadata'][];
}

export type SnapshotVerdict =
  | { readonly row: ImportedRow<'snapshot'>; readonly findings: FoundInRow['findings'] }
  | { readonly refused: ImportRefusal };

export function mapSnapshot(
  { row, volume, metadata, imageMetadata }: CinderSnapshot,
  world: MapWorld,
  onBackend?: OnBackend,
): SnapshotVerdict {
  const found = new FoundInRow('snapshot', row.id);
  const { settings, types } = world;
  const object = `volume-${volume?._name_id ?? row.volume_id}@snapshot-${row.id}`;
  if (volume === undefined)
    return found.refused(
      'volume-missing',
      `is of volume ${row.volume_id}, which was never there`,
      `delete ${object} on the backend, and the row`,
    );
  if (volume.deleted === true && !settings.revive)
    return found.refused(
      'volume-deleted',
      `lives, and its volume ${volume.id} is deleted`,
      `look whether the backend has ${object}, and have its volume come back as an error; or delete both`,
      '--revive',
    );
  const ofVolume = refusalOfVolume(volume, world);
  if (ofVolume !== undefined)
    return found.refused(
      'volume-refused',
      `is of volume ${volume.id}, which cannot come in`,
      'settle what is said of the volume',
      ofVolume.settledBy,
    );
  const status = settledSnapshotStatus(row.status, found);
  if (status === undefined)
    return found.refused(
      'status-unknown',
      `has the status ${JSON.stringify(row.status)}, which no release of Cinder gives`,
      'give it one that is true with `openstack volume snapshot set --state`',
    );
  if (row.project_id === null)
    return found.refused('project-missing', 'has no project', 'set its project_id in the Cinder database');
  if (row.cgsnapshot_id !== null)
    found.add(
      'consistency-group',
      `is part of snapshot ${row.cgsnapshot_id} of a consistency group`,
      `it comes in on its own; ${MAKE_GENERIC}`,
    );
  const isMissing = onBackend === 'absent' && status === 'available';
  if (isMissing)
    found.add(
      'image-missing',
      'is available, and its backend has nothing of its name',
      settings.missingAsError
        ? 'it comes in as error'
        : 'it comes in as it is, and the doctor names it; --missing-as-error lets it come in as an error',
    );
  tellUnservable(onBackend, status, found);
  if (row.volume_size === null)
    found.add('size-missing', 'has no size', `that of its volume is taken, ${volume.size} GiB`);
  return {
    row: {
      id: row.id,
      project_id: row.project_id,
      user_id: row.user_id,
      volume_id: row.volume_id,
      volume_type_id:
        row.volume_type_id !== null && types.has(row.volume_type_id) ? row.volume_type_id : typeOfVolume(volume, world),
      volume_size_gib: row.volume_size ?? volume.size ?? 0,
      name: row.display_name,
      description: row.display_description,
      status: isMissing && settings.missingAsError ? 'error' : status,
      progress: row.progress ?? '',
      group_snapshot_id: row.group_snapshot_id,
      use_quota: Number(row.use_quota ?? true),
      encryption_key_id: row.encryption_key_id,
      provider_location: row.provider_location,
      provider_id: row.provider_id,
      provider_auth: row.provider_auth,
      managed_ref: null,
      metadata: valuesText(metadata, 'metadata key', found),
      image_metadata: imageMetadata.length === 0 ? null : valuesText(imageMetadata, 'image metadata key', found),
      created_at: madeAt(row.created_at, [row.updated_at], settings.now, found),
      updated_at: row.updated_at,
    },
    findings: found.findings,
  };
}

const typeOfVolume = ({ volume_type_id: id }: CinderRows['volumes'], { types, adopted }: MapWorld): string =>
  id !== null && types.has(id) ? id : (adopted as string);
