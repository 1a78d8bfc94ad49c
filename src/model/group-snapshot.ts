/** A snapshot of a group, as its row has it. Its parts are the snapshots that name it (`Snapshot.groupSnapshotId`). */
import type { Timestamp } from '../lib/clock.ts';
import type { GroupSnapshotStatus } from './group-status.ts';

export interface GroupSnapshot {
  readonly id: string;
  readonly projectId: string;
  /** Null: nobody knows any more. */
  readonly userId: string | null;
  readonly name: string | null;
  readonly description: string | null;
  readonly status: GroupSnapshotStatus;
  readonly groupId: string;
  /** That of the group. */
  readonly groupTypeId: string;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp | null;
  /** Rises with every change. */
  readonly revision: number;
}

/** A row to be made; what is not said is null. */
export type NewGroupSnapshot = Pick<
  GroupSnapshot,
  'id' | 'projectId' | 'userId' | 'status' | 'groupId' | 'groupTypeId'
> &
  Partial<Omit<GroupSnapshot, 'updatedAt' | 'revision'>>;

export type GroupSnapshotPatch = Partial<Pick<GroupSnapshot, 'name' | 'description' | 'status'>>;
