/**
 * Take a snapshot of a group: one of each of its volumes, in use or not; of all of them or of none.
 *
 * The command has inserted the row of the group snapshot and those of its parts (all `creating`), counted the quota of all and taken the
 * holds: the group exclusive, so that no volume joins or leaves it and no other snapshot of it is taken meanwhile, its volumes shared.
 * Where the group's type demands it (`oneMoment`) the driver takes all of them in one moment, or refuses by name; else they are
 * taken one after another, and each is a moment of its own.
 *
 * If one cannot be taken none is left, on the backend or in the rows; what they counted for is given back, and the group snapshot says
 * `error` until it is deleted. A message on the volume that failed says why, another on the group says that its snapshot did.
 */
import { getGroupSnapshot, updateGroupSnapshot } from '../../db/group-snapshots.ts';
import { listPools } from '../../db/pools.ts';
import { findSnapshot, getSnapshot, updateSnapshot } from '../../db/snapshots.ts';
import { getVolume } from '../../db/volumes.ts';
import type { ModelUpdate, SnapshotRef } from '../../drivers/driver.ts';
import { GroupMemberFailed } from '../../model/errors.ts';
import { GROUP_SNAPSHOT_TRANSITIONS } from '../../model/group-status.ts';
import { SNAPSHOT_TRANSITIONS } from '../../model/status.ts';
import { schedule } from '../../scheduler/schedule.ts';
import { tellGroupSnapshot, tellSnapshot, tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';
import { uncountSnapshot } from '../volumes/delete-volume.ts';
import { withRoom } from '../volumes/with-room.ts';
import { isOfOneMember, type RefusedMember } from './members.ts';

export interface CreateGroupSnapshot {
  readonly groupSnapshotId: string;
  readonly groupId: string;
  readonly pool: string;
  readonly oneMoment: boolean;
  /** At least one. */
  readonly snapshotRefs: readonly SnapshotRef[];
}

const ErrorOut = obligation({
  name: 'error_out',
  revert: async (
    { groupSnapshotId, groupId, snapshotRefs }: CreateGroupSnapshot,
    _outcome,
    { tx, failures, ...context },
  ) => {
    for (const { id, volumeId } of snapshotRefs) {
      const snapshot = await findSnapshot(tx.db, id);
      if (snapshot) await uncountSnapshot(tx, snapshot, await getVolume(tx.db, volumeId), context.tools);
    }
    if (!(await updateGroupSnapshot(tx, groupSnapshotId, { status: GROUP_SNAPSHOT_TRANSITIONS.create.failure })))
      return;
    const { projectId } = await getGroupSnapshot(tx.db, groupSnapshotId);
    await tellUser(tx, 'create-group-snapshot', failures[0], { id: groupId, projectId }, context);
  },
});

/** Its pool must have room for what they may come to hold. The command has counted that already, so it is left out here. */
const ScheduleCreateGroupSnapshot = record({
  name: 'schedule_create_group_snapshot',
  execute: async ({ snapshotRefs, pool }: CreateGroupSnapshot, { tx, tools }) => {
    const sizeGiB = snapshotRefs.reduce((total, ref) => total + ref.sizeGiB, 0);
    const pools = (await listPools(tx.db, tools.serviceDownSeconds)).map((each) =>
      each.name === pool ? { ...each, provisionedGiB: each.provisionedGiB - sizeGiB } : each,
    );
    schedule(pools, { sizeGiB, resourceBackend: pool }, tools.scheduler);
  },
});

const NotifyStart = record({
  name: 'notify_group_snapshot_action;create.start',
  execute: async ({ groupSnapshotId, snapshotRefs }: CreateGroupSnapshot, { tx, requestId }) => {
    await tellGroupSnapshot(tx, 'create.start', await getGroupSnapshot(tx.db, groupSnapshotId), requestId);
    for (const { id, volumeId } of snapshotRefs)
      await tellSnapshot(tx, 'create.start', await getSnapshot(tx.db, id), await getVolume(tx.db, volumeId), requestId);
  },
});

const CreateOnBackend = world({
  name: 'create_group_snapshot_on_backend',
  execute: async (
    { snapshotRefs, pool, oneMoment }: CreateGroupSnapshot,
    call,
  ): Promise<{ models: readonly ModelUpdate[]; refused: RefusedMember | null }> => {
    const [first] = snapshotRefs;
    if (oneMoment && first !== undefined) {
      const together = withRoom(pool, first.volumeId, call, (driver) => driver.createGroupSnapshot(snapshotRefs, call));
      return { models: await together, refused: null };
    }
    const models: ModelUpdate[] = [];
    for (const [index, ref] of snapshotRefs.entries()) {
      try {
        models.push(await withRoom(pool, ref.volumeId, call, (driver) => driver.createSnapshot(ref, call)));
      } catch (error) {
        // What may pass is tried again, with those that are there already.
        if (!isOfOneMember(error) || error.transient) throw error;
        return { models, refused: { id: ref.volumeId, failure: error.name } };
      }
      call.progress((index + 1) / snapshotRefs.length);
    }
    return { models, refused: null };
  },
  revert: async ({ snapshotRefs, pool }, outcome, call) => {
    if (neverAsked(outcome)) return;
    for (const ref of snapshotRefs) await call.tools.driver(pool).deleteSnapshot(ref, call);
  },
});

const TellRefused = record({
  name: 'tell_refused',
  execute: async ({ refused }: { refused: RefusedMember | null }, { tx, ...context }) => {
    if (refused === null) return;
    await tellUser(tx, 'snapshot-group-member', { name: refused.failure }, await getVolume(tx.db, refused.id), context);
  },
});

const RefuseToFinish = record({
  name: 'refuse_to_finish',
  execute: ({ refused }: { refused: RefusedMember | null }) => {
    if (refused !== null)
      throw new GroupMemberFailed(`Volume ${refused.id} could not be snapshotted (${refused.failure}).`);
  },
});

const CreateGroupSnapshotOnFinish = record({
  name: 'create_group_snapshot_on_finish;create.end',
  execute: async (
    { groupSnapshotId, snapshotRefs, models }: CreateGroupSnapshot & { models: readonly ModelUpdate[] },
    { tx, requestId },
  ) => {
    await updateGroupSnapshot(tx, groupSnapshotId, { status: GROUP_SNAPSHOT_TRANSITIONS.create.success });
    await tellGroupSnapshot(tx, 'create.end', await getGroupSnapshot(tx.db, groupSnapshotId), requestId);
    for (const [index, { id, volumeId }] of snapshotRefs.entries()) {
      const volume = await getVolume(tx.db, volumeId);
      await updateSnapshot(tx, id, {
        ...models[index],
        status: SNAPSHOT_TRANSITIONS.create.success,
        progress: '100%',
        imageMetadata: volume.bootable ? volume.imageMetadata : null,
      });
      await tellSnapshot(tx, 'create.end', await getSnapshot(tx.db, id), volume, requestId);
    }
  },
});

export const createGroupSnapshot = flow<CreateGroupSnapshot>('create_group_snapshot')
  .add(ErrorOut)
  .add(ScheduleCreateGroupSnapshot)
  .lane(onHostOf)
  .add(NotifyStart)
  .add(CreateOnBackend)
  .add(TellRefused)
  .add(RefuseToFinish)
  .add(CreateGroupSnapshotOnFinish)
  .build({ version: 1 });
