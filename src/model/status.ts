/**
 * The statuses of volumes and snapshots, and which operation leads from which to which: the life cycles as data.
 *
 * Each transition is one conditional update of the row (`moveStatus`), so two requests cannot both leave the same status.
 * A request that finds its resource in another status is answered 400. `docs/states.md` is printed from here.
 */

export const VOLUME_STATUSES = [
  'creating',
  'available',
  'reserved',
  'attaching',
  'in-use',
  'detaching',
  'maintenance',
  'deleting',
  'error',
  'error_deleting',
  'managing',
  'error_managing',
  'error_managing_deleting',
  'unmanaging',
  'error_unmanaging',
  'downloading',
  'uploading',
  'extending',
  'error_extending',
  'retyping',
  'backing-up',
  'error_backing-up',
  'restoring-backup',
  'error_restoring',
  'awaiting-transfer',
  'reverting',
] as const;
export type VolumeStatus = (typeof VOLUME_STATUSES)[number];

export const SNAPSHOT_STATUSES = [
  'creating',
  'available',
  'updating',
  'restoring',
  'backing-up',
  'deleting',
  'error',
  'error_deleting',
  'unmanaging',
  'error_unmanaging',
  'managing',
  'error_managing',
  'deleted',
] as const;
export type SnapshotStatus = (typeof SNAPSHOT_STATUSES)[number];

export const ATTACH_STATUSES = [
  'detached',
  'reserved',
  'attaching',
  'attached',
  'detaching',
  'error_attaching',
  'error_detaching',
  'deleted',
] as const;
export type AttachStatus = (typeof ATTACH_STATUSES)[number];

/**
 * What an administrator may say a volume is (`os-reset_status`), as Cinder since 2021: whatever it may be, but not that it
 * is on its way out, when nothing takes it there.
 */
export const VOLUME_RESET_STATUSES: readonly VolumeStatus[] = VOLUME_STATUSES.filter(
  (status) => status !== 'deleting' && status !== 'unmanaging' && status !== 'error_managing_deleting',
);

/** Nobody has it, and it may be given to anybody: said only of a volume that nobody can reach. */
export const FREE_STATUSES: readonly VolumeStatus[] = ['available', 'awaiting-transfer'];

/** Also `target:<volume id>`, of the volume a migration copies to. */
export const MIGRATION_STATUSES = [
  'none',
  'starting',
  'migrating',
  'completing',
  'success',
  'error',
  'deleting',
] as const;

export interface Transition<Status extends string> {
  /** Empty for an operation that makes the row. */
  readonly from: readonly Status[];
  /** While the operation runs; in order, when it passes through several. Empty when it changes the status at once. */
  readonly during: readonly Status[];
  /** `previous`: what it was before. `gone`: there is no row any more. */
  readonly success: Status | 'previous' | 'gone';
  readonly failure: Status | 'previous' | 'gone';
}

/** What a client may delete or take out of management. */
const DELETABLE = ['available', 'error', 'error_restoring', 'error_extending', 'error_managing'] as const;

/** A volume of a multiattach type may have another attachment while it has one. */
const RESERVABLE = ['available', 'in-use'] as const;

/** While a client attaches or detaches, step by step, the volume rests in one of these; no flow works on it. */
const BY_CLIENTS = ['reserved', 'attaching', 'detaching'] as const;

export const VOLUME_TRANSITIONS = {
  create: { from: [], during: ['creating', 'downloading'], success: 'available', failure: 'error' },
  manage: { from: [], during: ['managing'], success: 'available', failure: 'error_managing' },
  extend: { from: ['available', 'in-use'], during: ['extending'], success: 'previous', failure: 'error_extending' },
  upload: { from: ['available', 'in-use'], during: ['uploading'], success: 'previous', failure: 'previous' },
  retype: { from: ['available', 'in-use'], during: ['retyping'], success: 'previous', failure: 'previous' },
  revert: { from: ['available'], during: ['reverting'], success: 'available', failure: 'error' },
  reimage: { from: ['available', 'error', 'reserved'], during: ['downloading'], success: 'previous', failure: 'error' },
  transfer: { from: ['available'], during: ['awaiting-transfer'], success: 'available', failure: 'available' },
  backup: { from: ['available', 'in-use'], during: ['backing-up'], success: 'previous', failure: 'previous' },
  restore: { from: ['available'], during: ['restoring-backup'], success: 'available', failure: 'error_restoring' },
  attachment_create: { from: RESERVABLE, during: [], success: 'reserved', failure: 'previous' },
  attachment_update: { from: ['reserved', 'in-use'], during: [], success: 'attaching', failure: 'reserved' },
  attachment_complete: { from: ['attaching', 'in-use'], during: [], success: 'in-use', failure: 'previous' },
  attachment_delete: { from: ['in-use', ...BY_CLIENTS], during: [], success: 'available', failure: 'in-use' },
  reserve: { from: ['available', 'in-use'], during: [], success: 'attaching', failure: 'previous' },
  unreserve: { from: ['attaching'], during: [], success: 'available', failure: 'previous' },
  attach: { from: ['available', 'attaching', 'in-use'], during: [], success: 'in-use', failure: 'previous' },
  begin_detaching: { from: ['in-use'], during: [], success: 'detaching', failure: 'previous' },
  roll_detaching: { from: ['detaching'], during: [], success: 'in-use', failure: 'previous' },
  detach: { from: ['in-use', ...BY_CLIENTS], during: [], success: 'available', failure: 'in-use' },
  delete: { from: DELETABLE, during: ['deleting'], success: 'gone', failure: 'error_deleting' },
  unmanage: { from: DELETABLE, during: ['unmanaging'], success: 'gone', failure: 'error_unmanaging' },
} as const satisfies Record<string, Transition<VolumeStatus>>;
export type VolumeOperation = keyof typeof VOLUME_TRANSITIONS;

export const SNAPSHOT_TRANSITIONS = {
  create: { from: [], during: ['creating'], success: 'available', failure: 'error' },
  manage: { from: [], during: ['creating'], success: 'available', failure: 'error' },
  revert: { from: ['available'], during: ['restoring'], success: 'available', failure: 'available' },
  delete: { from: ['available', 'error'], during: ['deleting'], success: 'gone', failure: 'error_deleting' },
  unmanage: { from: ['available', 'error'], during: ['unmanaging'], success: 'gone', failure: 'error_unmanaging' },
} as const satisfies Record<string, Transition<SnapshotStatus>>;
export type SnapshotOperation = keyof typeof SNAPSHOT_TRANSITIONS;

/** A status that something is being done in: no client, and no administrator by accident, acts on it meanwhile. */
export function isTransient(status: string): boolean {
  return transient.has(status);
}

const transient: ReadonlySet<string> = new Set(
  [...Object.values(VOLUME_TRANSITIONS), ...Object.values(SNAPSHOT_TRANSITIONS)]
    .flatMap((transition): readonly string[] => transition.during)
    .filter((status) => status !== 'awaiting-transfer'),
);
