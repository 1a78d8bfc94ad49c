/**
 * A volume moves to another backend: what migrating it and retyping it by migration share. One that is attached does so in
 * tasks of its own (`move-attached.ts`).
 *
 * The copy under way is no volume. It has the name of an id of the flow's own (`copyId`), which the flow holds as it holds the volume,
 * so that nobody takes it for left over. The volume itself is held from the first commit to the last, whatever its status says: nobody
 * writes to it, and both backends have the same until one of them is told to delete.
 *
 * Each end is worked on where it is served, by one process or by two, of one machine or of two: the source is located, and removed, in
 * the lane of the backend that it is on, and received in the lane of the other, by its path or as it was opened (`open-source.ts`).
 *
 * The switch is one commit, and the point of no return: before it a flow that fails, or is cancelled, removes the copy, and after it
 * what the volume came from, which goes in the revert if not before. Which of the two it is the row says, however the flow was turned
 * back. So there is one whole volume at every moment, where its row says. A backend that cannot be asked to delete is waited for.
 */
import { forgetMoveSecret, keepMoveSecret } from '../../db/move-secrets.ts';
import { addPoolUsage } from '../../db/pool-usage.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { updateVolume } from '../../db/volumes.ts';
import type { ModelUpdate, VolumeRef } from '../../drivers/driver.ts';
import { hostOf, laneOfHost } from '../../model/backend.ts';
import { record, type Tools, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';
import { DESTROYS } from './delete-volume.ts';
import { closeSource, leavesMachine, type MovedSource, openSource, withSource } from './open-source.ts';
import { withRoom } from './with-room.ts';

export interface MoveVolume {
  /** As it is where it comes from. */
  readonly volumeRef: VolumeRef;
  /** Where it comes from. */
  readonly pool: string;
  /** The id in its name where it goes. */
  readonly copyId: string;
  /** It shares nothing with what it comes from. */
  readonly copies: boolean;
}

export interface Destined {
  /** `node@backend#pool`, where it goes. */
  readonly destination: string;
}

export const onDestination = ({ destination }: Destined): string => laneOfHost(hostOf(destination));

export const MarkMigrating = record({
  name: 'mark_migrating',
  execute: async (move: MoveVolume & Destined, { tx }) => {
    await updateVolume(tx, move.volumeRef.id, { migrationStatus: 'migrating' });
    if (leavesMachine(move)) await keepMoveSecret(tx, move.copyId);
  },
  revert: async ({ copyId }, _outcome, { tx }) => forgetMoveSecret(tx, copyId),
});

export const LocateVolume = world({
  name: 'locate_volume',
  execute: async (move: MoveVolume & Destined, call): Promise<{ source: MovedSource }> => ({
    source: await openSource(move, call),
  }),
  revert: async (move, _outcome, call) => {
    const { volumeRef, pool, copyId } = move;
    await closeSource(move, call);
    if (await isSwitched(call.tools, volumeRef, copyId)) await call.tools.driver(pool).deleteVolume(volumeRef, call);
  },
});

interface Located {
  readonly source: MovedSource;
}

export const ReceiveVolume = world({
  name: 'receive_volume',
  execute: async ({ source, ...move }: MoveVolume & Destined & Located, call): Promise<{ model: ModelUpdate }> => {
    const { volumeRef, copyId, copies, destination } = move;
    const model = await withSource(move, source, call, (opened) =>
      withRoom(destination, volumeRef.id, call, (driver) =>
        driver.receiveVolume({ ...volumeRef, nameId: copyId }, opened, { copies }, call),
      ),
    );
    return { model };
  },
  revert: async ({ volumeRef, copyId, destination }, outcome, call) => {
    if (neverAsked(outcome) || (await isSwitched(call.tools, volumeRef, copyId))) return;
    await call.tools.driver(destination).deleteVolume({ ...volumeRef, nameId: copyId }, call);
  },
});

export async function isSwitched(tools: Tools, { id }: VolumeRef, copyId: string): Promise<boolean> {
  return (await tools.volume(id)).nameId === copyId;
}

export type Switching = MoveVolume & Destined & { readonly model: ModelUpdate };

/** From here on the volume is where it was to go. It was taken over where it came from, if it was, and nothing there is to be given back. */
export async function switchVolume(tx: Tx, { volumeRef, pool, destination, copyId, model }: Switching): Promise<void> {
  const { id, sizeGiB } = volumeRef;
  await forgetMoveSecret(tx, copyId);
  await updateVolume(tx, id, {
    host: destination,
    nameId: copyId,
    migrationStatus: 'completing',
    providerLocation: null,
    providerId: null,
    managedRef: null,
    ...model,
  });
  await addPoolUsage(tx, { pool, allocatedGiB: -sizeGiB, provisionedGiB: -sizeGiB, volumes: -1 });
  await addPoolUsage(tx, { pool: destination, allocatedGiB: sizeGiB, provisionedGiB: sizeGiB, volumes: 1 });
}

export const RemoveOld = world({
  name: 'remove_old',
  ...DESTROYS,
  execute: async (move: MoveVolume & Destined, call) => {
    await closeSource(move, call);
    await call.tools.driver(move.pool).deleteVolume(move.volumeRef, call);
  },
});
