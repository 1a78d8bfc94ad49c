/**
 * Take a snapshot of a volume, in use or not.
 *
 * The command has inserted the row (`creating`), counted the quota and taken the holds (the snapshot exclusive, its volume
 * shared: several snapshots of one volume may be taken at once, but it is not extended or deleted meanwhile). The volume's
 * pool must have room for it. If it fails nothing stays on the backend and the row says `error`.
 */
import { listPools } from '../../db/pools.ts';
import { getSnapshot, updateSnapshot } from '../../db/snapshots.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { getVolume } from '../../db/volumes.ts';
import type { ModelUpdate, SnapshotRef } from '../../drivers/driver.ts';
import { SNAPSHOT_TRANSITIONS } from '../../model/status.ts';
import { schedule } from '../../scheduler/schedule.ts';
import { snapshotStarted } from '../started.ts';
import { tellSnapshot, tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';
import { withRoom } from '../volumes/with-room.ts';
import { inTenths } from './in-tenths.ts';

export interface CreateSnapshot {
  readonly snapshotRef: SnapshotRef;
  readonly pool: string;
}

const ErrorOut = obligation({
  name: 'error_out',
  revert: async ({ snapshotRef: { id } }: CreateSnapshot, _outcome, { tx, failures, ...context }) => {
    if (!(await updateSnapshot(tx, id, { status: SNAPSHOT_TRANSITIONS.create.failure }))) return;
    await tellUser(tx, 'create-snapshot', failures[0], await getSnapshot(tx.db, id), context);
  },
});

/** Its pool must have room for what it may come to hold. The command has counted that already, so it is left out here. */
const ScheduleCreateSnapshot = record({
  name: 'schedule_create_snapshot',
  execute: async ({ snapshotRef: { id, sizeGiB }, pool }: CreateSnapshot, { tx, tools }) => {
    const { volumeTypeId } = await getSnapshot(tx.db, id);
    const pools = (await listPools(tx.db, tools.serviceDownSeconds)).map((each) =>
      each.name === pool ? { ...each, provisionedGiB: each.provisionedGiB - sizeGiB } : each,
    );
    const request = { sizeGiB, volumeType: await getVolumeType(tx.db, volumeTypeId), resourceBackend: pool };
    schedule(pools, request, tools.scheduler);
  },
});

const CreateOnBackend = world({
  name: 'create_snapshot_on_backend',
  execute: async ({ snapshotRef, pool }: CreateSnapshot, call): Promise<{ model: ModelUpdate }> => {
    const { progress, told } = inTenths(call.progress, (percent) =>
      call.tools.snapshotProgress(snapshotRef.id, percent),
    );
    try {
      const model = await withRoom(pool, snapshotRef.volumeId, call, (driver) =>
        driver.createSnapshot(snapshotRef, { ...call, progress }),
      );
      return { model };
    } finally {
      await told();
    }
  },
  revert: async ({ snapshotRef, pool }, outcome, call) => {
    if (!neverAsked(outcome)) await call.tools.driver(pool).deleteSnapshot(snapshotRef, call);
  },
});

const CreateSnapshotOnFinish = record({
  name: 'create_snapshot_on_finish;create.end',
  execute: async (
    { snapshotRef: { id, volumeId }, model }: CreateSnapshot & { model: ModelUpdate },
    { tx, requestId },
  ) => {
    const volume = await getVolume(tx.db, volumeId);
    const imageMetadata = volume.bootable ? volume.imageMetadata : null;
    await updateSnapshot(tx, id, {
      ...model,
      status: SNAPSHOT_TRANSITIONS.create.success,
      progress: '100%',
      imageMetadata,
    });
    await tellSnapshot(tx, 'create.end', await getSnapshot(tx.db, id), volume, requestId);
  },
});

export const createSnapshot = flow<CreateSnapshot>('create_snapshot')
  .add(ErrorOut)
  .add(ScheduleCreateSnapshot)
  .lane(onHostOf)
  .add(snapshotStarted('create.start'))
  .add(CreateOnBackend)
  .add(CreateSnapshotOnFinish)
  .build({ version: 1 });
