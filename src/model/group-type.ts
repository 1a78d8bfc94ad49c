/** A group type: requirements on the backend of a group of volumes. */
import type { Timestamp } from '../lib/clock.ts';
import type { Specs } from './specs.ts';

/** The type of consistency groups, which has always been there: such a group is made, shown and changed as one of those only. */
export const CONSISTENCY_GROUP_TYPE = 'default_cgsnapshot_type';

export interface GroupType {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  /** Those that are not are for administrators. */
  readonly isPublic: boolean;
  readonly groupSpecs: Specs;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp | null;
}

/** The group spec, and the capability of a pool, that snapshots of all volumes of a group are of one moment. */
export const ONE_MOMENT = 'consistent_group_snapshot_enabled';

export const wantsOneMoment = ({ groupSpecs }: Pick<GroupType, 'groupSpecs'>): boolean =>
  /^<is>\s*true$/i.test(groupSpecs[ONE_MOMENT]?.trim() ?? '');

export type NewGroupType = Pick<GroupType, 'id' | 'name' | 'description' | 'isPublic' | 'groupSpecs'>;
export type GroupTypePatch = Partial<Omit<NewGroupType, 'id'>>;
