/**
 * Statuses in which Cinder was at something: nobody will go on with it here, so each becomes the status in which it would have failed.
 * Where nothing of the resource is changed by what was being done (a backup, an upload), it is what it was.
 */
import { BACKUP_STATUSES, BACKUP_TRANSITIONS, type BackupStatus } from '../../model/backup-status.ts';
import {
  GROUP_SNAPSHOT_STATUSES,
  GROUP_SNAPSHOT_TRANSITIONS,
  GROUP_STATUSES,
  GROUP_TRANSITIONS,
  type GroupSnapshotStatus,
  type GroupStatus,
} from '../../model/group-status.ts';
import {
  SNAPSHOT_STATUSES,
  SNAPSHOT_TRANSITIONS,
  type SnapshotStatus,
  VOLUME_STATUSES,
  VOLUME_TRANSITIONS,
  type VolumeStatus,
} from '../../model/status.ts';
import type { Transition } from '../../model/transition.ts';
import type { FoundInRow } from './verdict.ts';

/** What is only read meanwhile, and is afterwards what it was. */
const ONLY_READ: ReadonlySet<string> = new Set(['uploading', 'backing-up', 'retyping']);

/** Undefined: it is none that is known. `before` is what it was, for what is only read. */
export function settledVolumeStatus(
  status: string | null,
  before: VolumeStatus,
  found: FoundInRow,
): VolumeStatus | undefined {
  return settled(VOLUME_STATUSES, VOLUME_TRANSITIONS, status, found, (of) => {
    if (ONLY_READ.has(of)) return before;
    // Unlike ours, Cinder's leaves a mixture when it is broken off.
    return of === 'reverting' ? 'error' : undefined;
  });
}

export const settledSnapshotStatus = (status: string | null, found: FoundInRow): SnapshotStatus | undefined =>
  settled(SNAPSHOT_STATUSES, SNAPSHOT_TRANSITIONS, status, found, (of) =>
    of === 'backing-up' || of === 'restoring' || of === 'updating' ? 'available' : undefined,
  );

export const settledGroupStatus = (status: string | null, found: FoundInRow): GroupStatus | undefined =>
  settled(GROUP_STATUSES, GROUP_TRANSITIONS, status, found);

export const settledGroupSnapshotStatus = (status: string | null, found: FoundInRow): GroupSnapshotStatus | undefined =>
  settled(GROUP_SNAPSHOT_STATUSES, GROUP_SNAPSHOT_TRANSITIONS, status, found);

export const settledBackupStatus = (status: string | null, found: FoundInRow): BackupStatus | undefined =>
  settled(BACKUP_STATUSES, BACKUP_TRANSITIONS, status, found, (of) => (of === 'restoring' ? 'available' : undefined));

function settled<Status extends string>(
  known: readonly Status[],
  transitions: Readonly<Record<string, Transition<Status>>>,
  status: string | null,
  found: FoundInRow,
  unharmed: (status: Status) => Status | undefined = () => undefined,
): Status | undefined {
  const is = known.find((each) => each === status);
  if (is === undefined) return undefined;
  const operation = Object.values(transitions).find(({ during }) => during.includes(is));
  if (operation === undefined) return is;
  const { failure } = operation;
  const to = unharmed(is) ?? (failure.startsWith('error') ? (failure as Status) : ('error' as Status));
  found.add('at-work', `is ${is}`, `should Cinder not be done with it by then, it comes in as ${to}`);
  return to;
}
