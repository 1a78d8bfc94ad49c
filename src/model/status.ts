/**
 * The state machines of volumes and snapshots: their statuses, and which operation leads from which to which. The tables are
 * the rule itself. A command moves a status by the operation's name (`moveVolumeStatus`, `moveSnapshotStatus`) and refuses in the
 * operation's words; a flow ends in the status that its operation says. Lists of statuses are derived from here, never written.
 *
 * Each transition is one conditional update of the row (compare-and-swap), so two requests cannot both leave the same status. A
 * request that finds its resource in another status is answered 400. `docs/states.md` is printed from here.
 */
import type { Moving, Refusing, Transition } from './transition.ts';

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

/** Statuses with a plainer name outside. */
const SHOWN: { readonly [status in VolumeStatus]?: VolumeStatus } = {
  managing: 'creating',
  error_managing: 'error',
  error_managing_deleting: 'deleting',
};

export const shownStatus = (status: VolumeStatus): VolumeStatus => SHOWN[status] ?? status;

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
 * The statuses that an administrator may give a volume (`os-reset_status`), as in Cinder since 2021: all but those of a volume
 * on its way out, since nothing would take it there.
 */
export const VOLUME_RESET_STATUSES: readonly VolumeStatus[] = VOLUME_STATUSES.filter(
  (status) => status !== 'deleting' && status !== 'unmanaging' && status !== 'error_managing_deleting',
);

/** Nobody has it, and it may be given to anybody: said only of a volume that nobody can reach. */
export const FREE_STATUSES: readonly VolumeStatus[] = ['available', 'awaiting-transfer'];

/** Statuses that only say how a volume is attached: it has its content, and nobody is replacing it. */
export const BY_ATTACHMENTS = ['available', 'reserved', 'attaching', 'in-use', 'detaching'] as const;

/** Of a volume whose migration is to let nobody change it (`lock_volume`). An administrator may say it too, so it is no operation's. */
export const IN_MAINTENANCE = 'maintenance' satisfies VolumeStatus;

/** What a client may delete or take out of management. */
const DELETABLE = ['available', 'error', 'error_restoring', 'error_extending', 'error_managing'] as const;

/** A volume of a multiattach type may have another attachment while it has one. */
const OF_MULTIATTACH = { from: ['in-use'], when: 'multiattach' } as const;

/** A volume that is read, or changed in what its status says nothing of. */
const STAYS = { during: [], success: 'previous', failure: 'previous' } as const;

/** However it ends. */
const RETURNS = { success: 'previous', failure: 'previous' } as const;

export const VOLUME_TRANSITIONS = {
  create: { from: [], during: ['creating', 'downloading'], success: 'available', failure: 'error' },
  manage: { from: [], during: ['managing'], success: 'available', failure: 'error_managing' },
  extend: {
    from: ['available'],
    also: { from: ['in-use'], when: 'from 3.42 on, with the right to' },
    during: ['extending'],
    success: 'previous',
    failure: 'error_extending',
    must: '{from} to be extended',
  },
  snapshot: {
    from: ['available'],
    also: { from: ['in-use'], when: 'by force, or from 3.66 on' },
    ...STAYS,
    must: '{from} to take a snapshot of it',
  },
  manage_snapshot: { from: ['available', 'in-use'], ...STAYS, must: '{from} to be given a snapshot' },
  /** Its migration status says more. */
  migrate: { from: ['available', 'in-use'], ...STAYS, must: '{from} to be migrated' },
  clone: { from: ['available', 'in-use'], ...STAYS, must: '{from} to be cloned' },
  set_readonly: { from: ['available'], ...STAYS, must: '{from} to be made readonly or not' },
  transfer: {
    from: ['available'],
    during: [],
    success: 'awaiting-transfer',
    failure: 'previous',
    must: '{from} to be transferred',
  },
  transfer_accept: {
    from: ['awaiting-transfer'],
    during: [],
    success: 'available',
    failure: 'previous',
    must: '{from} to be accepted',
  },
  transfer_delete: { from: ['awaiting-transfer'], during: [], success: 'available', failure: 'previous' },
  /** Asked before an export is made, for an attachment or without one. */
  connect: { from: BY_ATTACHMENTS, ...STAYS, must: '{from} to be connected' },
  attachment_create: {
    from: ['available'],
    also: OF_MULTIATTACH,
    during: [],
    success: 'reserved',
    failure: 'previous',
    must: '{from} to be attached',
  },
  /** Another attachment of the server that has one, on the machine it migrates to. */
  attachment_migrate: { from: ['reserved', 'in-use'], ...STAYS },
  /** When its export is there. A volume that is being detached says so until that has ended. */
  attachment_update: {
    from: ['available', 'reserved', 'in-use'],
    during: [],
    success: 'attaching',
    failure: 'as attached',
  },
  /** As in Cinder, no status is asked for: the client has connected the volume already, and uses it. */
  attachment_complete: { from: 'any', during: [], success: 'in-use', failure: 'previous' },
  attachment_delete: { from: 'any', during: [], success: 'as attached', failure: 'as attached' },
  reserve: {
    from: ['available'],
    also: OF_MULTIATTACH,
    during: [],
    success: 'attaching',
    failure: 'previous',
    must: '{from} to be reserved',
  },
  unreserve: {
    from: ['attaching'],
    during: [],
    success: 'as attached',
    failure: 'previous',
    must: '{from} to be unreserved',
  },
  attach: {
    from: ['available', 'attaching'],
    also: OF_MULTIATTACH,
    during: [],
    success: 'in-use',
    failure: 'previous',
    must: '{from} to be attached',
  },
  begin_detaching: {
    from: ['in-use'],
    during: [],
    success: 'detaching',
    failure: 'previous',
    must: '{from} and attached to be detached',
    tellsAttachStatus: true,
  },
  roll_detaching: {
    from: ['detaching'],
    during: [],
    success: 'as attached',
    failure: 'previous',
    must: '{from} to stay attached',
  },
  detach: {
    from: ['in-use', 'reserved', 'attaching', 'detaching'],
    during: [],
    success: 'as attached',
    failure: 'as attached',
    must: 'in-use or detaching to be detached',
  },
  force_detach: { from: 'any', during: [], success: 'as attached', failure: 'as attached' },
  /** What was attached is not in error any more: that is what it is detached for. */
  force_detach_from_error: { from: ['error'], during: [], success: 'detaching', failure: 'previous' },
  delete: {
    from: DELETABLE,
    during: ['deleting'],
    success: 'gone',
    failure: 'error_deleting',
    must: '{from} and neither attached nor connected to be deleted',
    tellsAttachStatus: true,
  },
  unmanage: {
    from: DELETABLE,
    during: ['unmanaging'],
    success: 'gone',
    failure: 'error_unmanaging',
    must: '{from}, on a backend and neither attached nor connected to be unmanaged',
  },
  /** By an update of the group. A volume that is made for a group is in it from the beginning. */
  join_group: { from: ['available', 'in-use'], ...STAYS, must: '{from} to be added to a group' },
  leave_group: {
    from: ['available', 'in-use', 'error', 'error_deleting'],
    ...STAYS,
    must: '{from} to be removed from its group',
  },
  /** One that could not be managed (`error_managing`) is not ours to destroy. */
  delete_with_group: {
    from: ['available', 'error', 'error_restoring', 'error_extending', 'error_deleting'],
    during: ['deleting'],
    success: 'gone',
    failure: 'error',
    must: '{from} and neither attached nor connected to be deleted with its group',
    tellsAttachStatus: true,
  },
  upload: {
    from: ['available'],
    also: { from: ['in-use'], when: 'by force' },
    during: ['uploading'],
    success: 'previous',
    failure: 'previous',
    must: '{from} and neither attached nor connected to be uploaded to an image',
    tellsAttachStatus: true,
  },
  retype: { from: ['available', 'in-use'], during: ['retyping'], ...RETURNS, must: '{from} to be retyped' },
  /** What fails leaves the content of before, unlike Cinder's, which is an error. */
  revert: {
    from: ['available'],
    during: ['reverting'],
    success: 'available',
    failure: 'available',
    must: '{from} and neither attached nor connected to be reverted',
    tellsAttachStatus: true,
  },
  /** Its content is new and whole, so it is no error any more; for Cinder it stays one. */
  reimage: {
    from: ['available', 'error'],
    also: { from: ['reserved'], when: 'with reimage_reserved' },
    during: ['downloading'],
    success: 'mended',
    failure: 'previous',
    must: '{from}, on a backend and neither attached nor connected to be given another image',
    tellsAttachStatus: true,
  },
  backup: {
    from: ['available'],
    also: { from: ['in-use'], when: 'by force' },
    during: ['backing-up'],
    ...RETURNS,
    must: '{from} to be backed up',
  },
  /** What was not begun leaves it available. */
  restore: {
    from: ['available'],
    during: ['restoring-backup'],
    success: 'available',
    failure: 'error_restoring',
    must: '{from} and neither attached nor connected to be restored to',
    tellsAttachStatus: true,
  },
} as const satisfies Record<string, Transition<VolumeStatus>>;
export type RefusingVolume = Refusing<typeof VOLUME_TRANSITIONS>;
export type MovingVolume = Moving<typeof VOLUME_TRANSITIONS>;

export const SNAPSHOT_TRANSITIONS = {
  create: { from: [], during: ['creating'], success: 'available', failure: 'error' },
  manage: { from: [], during: ['creating'], success: 'available', failure: 'error' },
  read: { from: ['available'], ...STAYS, must: '{from} to be read' },
  transfer: { from: ['available'], ...STAYS, must: '{from} to be transferred with its volume' },
  delete: {
    from: ['available', 'error'],
    during: ['deleting'],
    success: 'gone',
    failure: 'error_deleting',
    must: '{from}, and in no group snapshot, to be deleted',
  },
  /** With its volume. Whatever deletes it already has it to itself, or has left it so. */
  delete_with_volume: {
    from: ['available', 'error', 'deleting'],
    during: ['deleting'],
    success: 'gone',
    failure: 'error_deleting',
  },
  /** With the group snapshot it is a part of. */
  delete_with_group_snapshot: {
    from: ['available', 'error', 'error_deleting'],
    during: ['deleting'],
    success: 'gone',
    failure: 'error_deleting',
    must: '{from} to be deleted with its group snapshot',
  },
  unmanage: {
    from: ['available', 'error'],
    during: ['unmanaging'],
    success: 'gone',
    failure: 'error_unmanaging',
    must: '{from} to be unmanaged',
  },
  revert: {
    from: ['available'],
    during: ['restoring'],
    success: 'available',
    failure: 'available',
    must: '{from} for its volume to be reverted to it',
  },
  backup: {
    from: ['available'],
    during: ['backing-up'],
    success: 'available',
    failure: 'available',
    must: '{from} to be backed up',
  },
} as const satisfies Record<string, Transition<SnapshotStatus>>;
export type RefusingSnapshot = Refusing<typeof SNAPSHOT_TRANSITIONS>;
export type MovingSnapshot = Moving<typeof SNAPSHOT_TRANSITIONS>;

/** What a compute service may say of a snapshot that it takes or deletes: that it is at it, and how it ended. */
const TOLD: readonly (readonly SnapshotStatus[])[] = [SNAPSHOT_TRANSITIONS.create, SNAPSHOT_TRANSITIONS.delete].map(
  ({ during, success, failure }) => [...during, ...(success === 'gone' ? [] : [success]), failure],
);
export const TOLD_SNAPSHOT_STATUSES: readonly SnapshotStatus[] = TOLD.flat();

export const mayBeTold = (status: SnapshotStatus, told: SnapshotStatus): boolean =>
  TOLD.some(([during, ...ends]) => status === during && [during, ...ends].includes(told));

/** A status that something is being done in: no client, and no administrator by accident, acts on it meanwhile. */
export function isTransient(status: string): boolean {
  return transient.has(status);
}

const transient: ReadonlySet<string> = new Set(
  [...Object.values(VOLUME_TRANSITIONS), ...Object.values(SNAPSHOT_TRANSITIONS)].flatMap(
    (transition): readonly string[] => transition.during,
  ),
);
