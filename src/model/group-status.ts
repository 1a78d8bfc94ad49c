/**
 * The state machines of groups and of group snapshots, as `status.ts` has those of volumes and snapshots: a command moves a status by
 * the operation's name (`moveGroupStatus`, `moveGroupSnapshotStatus`), a flow ends in the status that its operation says.
 *
 * A group that is added to, or snapshotted, says `available` meanwhile, as in Cinder. What keeps others from it is the hold on it.
 * `docs/states.md` is printed from here.
 */
import type { Moving, Refusing, Transition } from './transition.ts';

export const GROUP_STATUSES = [
  'creating',
  'available',
  'updating',
  'in-use',
  'deleting',
  'error',
  'error_deleting',
  'deleted',
] as const;
export type GroupStatus = (typeof GROUP_STATUSES)[number];

export const GROUP_SNAPSHOT_STATUSES = [
  'creating',
  'available',
  'deleting',
  'error',
  'error_deleting',
  'deleted',
] as const;
export type GroupSnapshotStatus = (typeof GROUP_SNAPSHOT_STATUSES)[number];

/** A group that is read, or changed in what its status says nothing of. */
const STAYS = { during: [], success: 'previous', failure: 'previous' } as const;

export const GROUP_TRANSITIONS = {
  create: { from: [], during: ['creating'], success: 'available', failure: 'error' },
  /** Volumes come and go; a name changes at once. */
  update: {
    from: ['available'],
    during: ['updating'],
    success: 'available',
    failure: 'available',
    must: '{from} to be updated',
  },
  /** By the create of a volume. */
  add_volume: { from: ['available', 'creating'], ...STAYS, must: '{from} to be given a volume' },
  /** What it still has when a member could not be deleted it keeps. */
  delete: {
    from: ['available', 'error', 'error_deleting'],
    during: ['deleting'],
    success: 'gone',
    failure: 'error',
    must: '{from} to be deleted',
  },
  snapshot: { from: ['available'], ...STAYS, must: '{from} to take a snapshot of it' },
  clone: { from: ['available'], ...STAYS, must: '{from} to make a group from it' },
} as const satisfies Record<string, Transition<GroupStatus>>;
/** A flow is at the group, and leads it out of these. */
export const TRANSIENT_GROUP_STATUSES: readonly GroupStatus[] = Object.values(GROUP_TRANSITIONS).flatMap(
  ({ during }): readonly GroupStatus[] => during,
);
/** The statuses that an administrator may give a group: all that Cinder takes, which names `in-use` and refuses it. */
export const GROUP_RESET_STATUSES: readonly GroupStatus[] = GROUP_STATUSES.filter((status) => status !== 'in-use');
export type RefusingGroup = Refusing<typeof GROUP_TRANSITIONS>;
export type MovingGroup = Moving<typeof GROUP_TRANSITIONS>;

export const GROUP_SNAPSHOT_TRANSITIONS = {
  create: { from: [], during: ['creating'], success: 'available', failure: 'error' },
  read: { from: ['available'], ...STAYS, must: '{from} to make a group from it' },
  delete: {
    from: ['available', 'error', 'error_deleting'],
    during: ['deleting'],
    success: 'gone',
    failure: 'error_deleting',
    must: '{from} to be deleted',
  },
} as const satisfies Record<string, Transition<GroupSnapshotStatus>>;
export type RefusingGroupSnapshot = Refusing<typeof GROUP_SNAPSHOT_TRANSITIONS>;
export type MovingGroupSnapshot = Moving<typeof GROUP_SNAPSHOT_TRANSITIONS>;
export const TRANSIENT_GROUP_SNAPSHOT_STATUSES: readonly GroupSnapshotStatus[] = Object.values(
  GROUP_SNAPSHOT_TRANSITIONS,
).flatMap(({ during }): readonly GroupSnapshotStatus[] => during);
