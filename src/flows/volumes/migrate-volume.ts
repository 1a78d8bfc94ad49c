/**
 * Migrate a volume to another backend; one that clients reach to one of its host, while they write to it.
 *
 * The command has refused what cannot be carried over, set the migration status to `starting` (and the status to `maintenance`, when
 * it was asked to lock), and taken the holds. The backend must be good for the volume's type and have room. Name, metadata and flags
 * that change meanwhile are kept: the switch writes only where the volume is.
 *
 * The migration status ends in the last commit: `success`, or `error` with a message, and with nothing else changed. How a volume moves,
 * and what is left of it when, is told in `move-volume.ts` and `move-attached.ts`.
 */
import { listPools } from '../../db/pools.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { findVolume, getVolume, updateVolume } from '../../db/volumes.ts';
import { IN_MAINTENANCE } from '../../model/status.ts';
import type { Volume } from '../../model/volume.ts';
import { schedule } from '../../scheduler/schedule.ts';
import { tellNoBackend, tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record } from '../tools.ts';
import { FindAttached, MoveLive, ServeMoved } from './move-attached.ts';
import {
  type Destined,
  LocateVolume,
  MarkMigrating,
  type MoveVolume,
  onDestination,
  ReceiveVolume,
  RemoveOld,
  type Switching,
  switchVolume,
} from './move-volume.ts';

export interface MigrateVolume extends MoveVolume {
  /** The pool, or the host of which any pool will do. */
  readonly to: string;
}

const ErrorMigrating = obligation({
  name: 'error_migrating',
  revert: async (
    { volumeRef: { id, sizeGiB }, copyId }: MigrateVolume,
    _outcome,
    { tx, failures: [failure], ...context },
  ) => {
    const before = await findVolume(tx.db, id);
    if (before === undefined) return;
    if (before.nameId === copyId) return endMigration(tx, before, 'success');
    await endMigration(tx, before, 'error');
    const volume = await getVolume(tx.db, id);
    await tellUser(tx, 'migrate-volume', failure, volume, context);
    const state = { migration_status: 'error' };
    await tellNoBackend(tx, 'migrate_volume_to_host', failure, { volume, sizeGiB, state, ...context });
  },
});

const ScheduleMigration = record({
  name: 'schedule_migration',
  execute: async ({ volumeRef: { id, sizeGiB }, pool, to }: MigrateVolume, { tx, tools }): Promise<Destined> => {
    const { availabilityZone, volumeTypeId } = await getVolume(tx.db, id);
    const request = {
      sizeGiB,
      volumeType: await getVolumeType(tx.db, volumeTypeId),
      availabilityZones: availabilityZone === null ? [] : [availabilityZone],
      resourceBackend: to,
      attempted: [pool],
    };
    const { name } = schedule(await listPools(tx.db, tools.serviceDownSeconds), request, tools.scheduler);
    return { destination: name };
  },
});

const SwitchVolume = record({
  name: 'switch_volume',
  execute: async (input: Switching, { tx }) => switchVolume(tx, input),
});

const MigrateOnFinish = record({
  name: 'migrate_on_finish',
  execute: async ({ volumeRef: { id } }: MigrateVolume, { tx }) =>
    endMigration(tx, await getVolume(tx.db, id), 'success'),
});

/** A volume that was locked is so no more. */
async function endMigration(
  tx: Tx,
  { id, status, previousStatus }: Volume,
  migrationStatus: 'success' | 'error',
): Promise<void> {
  const unlocked = { status: previousStatus ?? 'available', previousStatus: null } as const;
  await updateVolume(tx, id, { migrationStatus, ...(status === IN_MAINTENANCE && unlocked) });
}

export const migrateVolume = flow<MigrateVolume>('migrate_volume')
  .add(ErrorMigrating)
  .add(ScheduleMigration)
  .lane(onHostOf)
  .add(MarkMigrating)
  .add(LocateVolume)
  .lane(onDestination)
  .add(ReceiveVolume)
  .add(SwitchVolume)
  .lane(onHostOf)
  .add(RemoveOld)
  .add(MigrateOnFinish)
  .build({ version: 1 });

export const migrateAttachedVolume = flow<MigrateVolume>('migrate_attached_volume')
  .add(ErrorMigrating)
  .add(ScheduleMigration)
  .lane(onHostOf)
  .add(MarkMigrating)
  .add(FindAttached)
  .add(MoveLive)
  .add(SwitchVolume, { rebind: { model: 'received' } })
  .add(ServeMoved)
  .add(RemoveOld)
  .add(MigrateOnFinish)
  .build({ version: 1 });
