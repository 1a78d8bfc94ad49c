/**
 * `os-migrate_volume`: moves a volume to another backend, as an administrator says; on its host also while clients reach it over iSCSI. What
 * cannot move, or has nowhere to go, is refused; whether the backend is good for the volume's type and has room is the scheduler's to say, in the flow.
 */
import { attachmentsOf } from '../../db/attachments.ts';
import { listPools } from '../../db/pools.ts';
import { snapshotsOf } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { moveVolumeStatus, updateVolume } from '../../db/volumes.ts';
import type { Flow } from '../../engine/flow.ts';
import {
  type MigrateVolume,
  migrateVolume as migrateAtRest,
  migrateAttachedVolume,
} from '../../flows/volumes/migrate-volume.ts';
import { checkMovable } from '../../flows/volumes/move-attached.ts';
import { uuid } from '../../lib/clock.ts';
import { hostOf, isReachedFromElsewhere, nodeOf } from '../../model/backend.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidInput, InvalidVolume } from '../../model/errors.ts';
import { IN_MAINTENANCE } from '../../model/status.ts';
import { refOf, type Volume } from '../../model/volume.ts';
import { contains } from '../../scheduler/request.ts';
import { begin, exclusive, volumeResource } from '../begin.ts';
import { refusedVolume } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { refuseMigratingOrMember } from './migrating.ts';

export interface MigrateVolumeRequest {
  /** `node@backend#pool`, or `node@backend`: any other pool of it. */
  readonly host: string;
  /** Its data are copied, where another way would be shorter. */
  readonly forceHostCopy: boolean;
  /** Nobody changes it meanwhile, not even its name. */
  readonly lockVolume: boolean;
}

export async function migrateVolume(
  desk: Desk,
  caller: Caller,
  id: string,
  { host, forceHostCopy, lockVolume: locks }: MigrateVolumeRequest,
): Promise<void> {
  await desk.db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    const { host: pool } = volume;
    refuseMigratingOrMember(volume, 'migrated');
    const moved = await moveVolumeStatus(tx, id, 'migrate', { set: { migrationStatus: 'starting' } });
    if (!moved || pool === null) throw refusedVolume(volume, 'migrate');
    const attachments = await attachmentsOf(tx.db, id);
    checkMovable(attachments);
    if ((await snapshotsOf(tx.db, id)).length > 0)
      throw new InvalidVolume(`Volume ${id} has snapshots, which cannot go with it: delete them first.`);
    await checkDestination(desk, tx, volume, host, attachments.length > 0);
    if (locks) await updateVolume(tx, id, { status: IN_MAINTENANCE, previousStatus: volume.status });
    const copyId = uuid();
    const flow: Flow<MigrateVolume, object> = attachments.length > 0 ? migrateAttachedVolume : migrateAtRest;
    await begin(
      desk,
      tx,
      caller,
      flow,
      { volumeRef: refOf(volume), pool, to: host, copyId, copies: forceHostCopy },
      {
        resource: volumeResource(id),
        projectId: volume.projectId,
        holds: [exclusive(volumeResource(id)), exclusive(volumeResource(copyId))],
      },
    );
  });
}

/** Throws `InvalidInput`, or `InvalidVolume`. */
async function checkDestination(
  desk: Desk,
  tx: Tx,
  { id, host: from }: Volume,
  to: string,
  attached: boolean,
): Promise<void> {
  const all = await listPools(tx.db, desk.tools.serviceDownSeconds);
  const pools = all.filter((pool) => contains(to, pool));
  if (pools.length > 0 && pools.every(({ name }) => name === from))
    throw new InvalidInput(`Volume ${id} is on ${from}: name another pool as host.`);
  if (!pools.some(({ up }) => up))
    throw new InvalidInput(`No available service named ${hostOf(to)}, or it has no such pool: ${to}.`);
  if (nodeOf(to) === nodeOf(from ?? '')) return;
  if (attached)
    throw new InvalidVolume(
      `Volume ${id} is attached or connected, and moves within ${nodeOf(from ?? '')} only: detach it first.`,
    );
  if (!all.some((pool) => pool.name === from && isReachedFromElsewhere(pool)))
    throw new InvalidInput(
      `${to} is on another host than ${from}, whose volumes are reached on their own alone: with target_protocol = "iscsi" they can be read from there.`,
    );
}
