/**
 * A backend for a group: one that takes volumes of each of its types. Nothing is placed yet, so no room is asked for.
 *
 * As pure as `schedule`. A group type that demands snapshots of one moment is refused by name where the backends that would do cannot
 * keep one: Cinder gives such a group, and takes its members one after another without a word.
 */
import { hostOf, type Pool } from '../model/backend.ts';
import { InvalidGroupType } from '../model/errors.ts';
import { type GroupType, ONE_MOMENT, wantsOneMoment } from '../model/group-type.ts';
import { DEFAULT_OPTIONS, type SchedulerOptions } from './options.ts';
import type { ScheduleRequest } from './request.ts';
import { schedule, sift } from './schedule.ts';

export interface GroupRequest {
  readonly groupType: Pick<GroupType, 'name' | 'groupSpecs'>;
  readonly volumeTypes: readonly NonNullable<ScheduleRequest['volumeType']>[];
  /** Any of these will do; empty means any at all. */
  readonly availabilityZones: readonly string[];
}

/** A pool of that backend. Throws `NoValidBackend`, or `InvalidGroupType`, which names the capability. */
export function scheduleGroup(
  pools: readonly Pool[],
  { groupType, volumeTypes, availabilityZones }: GroupRequest,
  options: SchedulerOptions = DEFAULT_OPTIONS,
): Pool {
  const requests = volumeTypes.map((volumeType): ScheduleRequest => ({ sizeGiB: 0, volumeType, availabilityZones }));
  const hosts = requests.map(
    (request) => new Set(sift(pools, request, options).passed.map(({ name }) => hostOf(name))),
  );
  const willing = pools.filter(({ name }) => hosts.every((passed) => passed.has(hostOf(name))));
  const able = wantsOneMoment(groupType) ? willing.filter(({ stats }) => stats[ONE_MOMENT] === true) : willing;
  if (willing.length > 0 && able.length === 0)
    throw new InvalidGroupType(
      `Group type ${groupType.name} demands ${ONE_MOMENT}, and no backend for these volume types has that capability.`,
    );
  const [first] = requests;
  return schedule(able, first ?? { sizeGiB: 0 }, options);
}
