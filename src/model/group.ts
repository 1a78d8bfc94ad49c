/** A group of volumes, as its row has it. Its members are the volumes that name it (`Volume.groupId`). */
import type { Timestamp } from '../lib/clock.ts';
import type { GroupStatus } from './group-status.ts';

export interface Group {
  readonly id: string;
  readonly projectId: string;
  /** Null: nobody knows any more. */
  readonly userId: string | null;
  readonly name: string | null;
  readonly description: string | null;
  readonly status: GroupStatus;
  /** `node@backend#pool`. All its members are on this backend; null when none could be chosen. */
  readonly host: string | null;
  readonly availabilityZone: string | null;
  readonly groupTypeId: string;
  /** Its members are of one of these. They never change. */
  readonly volumeTypeIds: readonly string[];
  /** What it was made from, if from anything. */
  readonly groupSnapshotId: string | null;
  readonly sourceGroupId: string | null;
  readonly replicationStatus: string | null;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp | null;
  /** Rises with every change. */
  readonly revision: number;
}

/** A row to be made; what is not said is null. */
export type NewGroup = Pick<Group, 'id' | 'projectId' | 'userId' | 'status' | 'groupTypeId' | 'volumeTypeIds'> &
  Partial<Omit<Group, 'updatedAt' | 'revision'>>;

export type GroupPatch = Partial<Pick<Group, 'name' | 'description' | 'status' | 'host' | 'availabilityZone'>>;
