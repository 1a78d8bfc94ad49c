/**
 * Make a group from another, or from a group snapshot: a copy of each of its volumes; of all of them or of none.
 *
 * The command has inserted the rows of the group and of its volumes (all `creating`), on the pool of what they are made from, counted the
 * quota of all and taken the holds: group and volumes exclusive, what is copied shared.
 *
 * If one cannot be made none is left, on the backend or in the rows, and what they counted for is given back. The group says `error`, with
 * nothing in it, until it is deleted. A message on the volume that could not be copied says why, another on the group that it was not made.
 */
import { getGroup, updateGroup } from '../../db/groups.ts';
import { listPools } from '../../db/pools.ts';
import { findVolume, getVolume, updateVolume } from '../../db/volumes.ts';
import type { ModelUpdate, VolumeDriver, VolumeRef } from '../../drivers/driver.ts';
import { now } from '../../lib/clock.ts';
import { GroupMemberFailed } from '../../model/errors.ts';
import { GROUP_TRANSITIONS } from '../../model/group-status.ts';
import { VOLUME_TRANSITIONS } from '../../model/status.ts';
import { schedule } from '../../scheduler/schedule.ts';
import { tellGroup, tellUser, tellVolume } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';
import { inheritedMetadata, type VolumeSpec } from '../volumes/create-volume.ts';
import { uncountVolume } from '../volumes/delete-volume.ts';
import { withRoom } from '../volumes/with-room.ts';
import { isOfOneMember, type RefusedMember } from './members.ts';

export interface CopiedVolume {
  readonly volumeRef: VolumeRef;
  readonly spec: Extract<VolumeSpec, { readonly type: 'snap' | 'source_vol' }>;
}

export interface CreateGroupFromSource {
  readonly groupId: string;
  readonly pool: string;
  /** At least one. */
  readonly members: readonly CopiedVolume[];
}

const ErrorOut = obligation({
  name: 'error_out',
  revert: async ({ groupId, members }: CreateGroupFromSource, _outcome, { tx, failures, ...context }) => {
    for (const { volumeRef } of members) {
      const volume = await findVolume(tx.db, volumeRef.id);
      if (volume) await uncountVolume(tx, volume);
    }
    if (!(await updateGroup(tx, groupId, { status: GROUP_TRANSITIONS.create.failure }))) return;
    await tellUser(tx, 'create-group', failures[0], await getGroup(tx.db, groupId), context);
  },
});

/** Its pool must have room for all. The command has counted them already, so they are left out here. */
const ScheduleCreateGroup = record({
  name: 'schedule_create_group',
  execute: async ({ members, pool }: CreateGroupFromSource, { tx, tools }) => {
    const sizeGiB = members.reduce((total, { volumeRef }) => total + volumeRef.sizeGiB, 0);
    const pools = (await listPools(tx.db, tools.serviceDownSeconds)).map((each) =>
      each.name === pool
        ? {
            ...each,
            allocatedGiB: each.allocatedGiB - sizeGiB,
            provisionedGiB: each.provisionedGiB - sizeGiB,
            volumes: each.volumes - members.length,
          }
        : each,
    );
    schedule(pools, { sizeGiB, resourceBackend: pool }, tools.scheduler);
  },
});

const NotifyStart = record({
  name: 'notify_group_action;create.start',
  execute: async ({ groupId, members }: CreateGroupFromSource, { tx, requestId }) => {
    await tellGroup(tx, 'create.start', await getGroup(tx.db, groupId), requestId);
    for (const { volumeRef } of members)
      await tellVolume(tx, 'create.start', await getVolume(tx.db, volumeRef.id), requestId);
  },
});

const CreateMembers = world({
  name: 'create_members_on_backend',
  execute: async (
    { members, pool }: CreateGroupFromSource,
    call,
  ): Promise<{ models: readonly ModelUpdate[]; refused: RefusedMember | null }> => {
    const models: ModelUpdate[] = [];
    for (const [index, { volumeRef, spec }] of members.entries()) {
      const make = (driver: VolumeDriver): Promise<ModelUpdate> =>
        spec.type === 'snap'
          ? driver.createVolumeFromSnapshot(volumeRef, spec.snapshot, call)
          : driver.createClonedVolume(volumeRef, spec.source, call);
      try {
        models.push(await withRoom(pool, volumeRef.id, call, make));
      } catch (error) {
        // What may pass is tried again, with those that are there already.
        if (!isOfOneMember(error) || error.transient) throw error;
        return { models, refused: { id: originOf(spec), failure: error.name } };
      }
      call.progress((index + 1) / members.length);
    }
    return { models, refused: null };
  },
  revert: async ({ members, pool }, outcome, call) => {
    if (neverAsked(outcome)) return;
    for (const { volumeRef } of members) await call.tools.driver(pool).deleteVolume(volumeRef, call);
  },
});

const originOf = (spec: CopiedVolume['spec']): string =>
  spec.type === 'snap' ? spec.snapshot.volumeId : spec.source.id;

const TellRefused = record({
  name: 'tell_refused',
  execute: async ({ refused }: { refused: RefusedMember | null }, { tx, ...context }) => {
    if (refused === null) return;
    const volume = await getVolume(tx.db, refused.id);
    await tellUser(tx, 'copy-group-member', { name: refused.failure }, volume, context);
  },
});

const RefuseToFinish = record({
  name: 'refuse_to_finish',
  execute: ({ refused }: { refused: RefusedMember | null }) => {
    if (refused !== null) throw new GroupMemberFailed(`Volume ${refused.id} could not be copied (${refused.failure}).`);
  },
});

const CreateGroupOnFinish = record({
  name: 'create_group_on_finish;create.end',
  execute: async (
    { groupId, members, models }: CreateGroupFromSource & { models: readonly ModelUpdate[] },
    { tx, requestId },
  ) => {
    await updateGroup(tx, groupId, { status: GROUP_TRANSITIONS.create.success });
    await tellGroup(tx, 'create.end', await getGroup(tx.db, groupId), requestId);
    for (const [index, { volumeRef, spec }] of members.entries()) {
      const imageMetadata = await inheritedMetadata(tx, spec);
      await updateVolume(tx, volumeRef.id, {
        ...models[index],
        ...(imageMetadata !== undefined && { bootable: true, imageMetadata }),
        status: VOLUME_TRANSITIONS.create.success,
        launchedAt: now(),
      });
      await tellVolume(tx, 'create.end', await getVolume(tx.db, volumeRef.id), requestId);
    }
  },
});

export const createGroupFromSource = flow<CreateGroupFromSource>('create_group_from_source')
  .add(ErrorOut)
  .add(ScheduleCreateGroup)
  .lane(onHostOf)
  .add(NotifyStart)
  .add(CreateMembers)
  .add(TellRefused)
  .add(RefuseToFinish)
  .add(CreateGroupOnFinish)
  .build({ version: 1 });
