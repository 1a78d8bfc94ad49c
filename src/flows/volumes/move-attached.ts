/**
 * A volume that is attached moves to another backend, and its clients write to it meanwhile and notice a moment's pause: what migrating it
 * and retyping it by migration share, beside what `move-volume.ts` tells.
 *
 * The backend where it is gives it, the one where it goes receives it (`drivers/driver.ts`), both in one process, which serves both. From
 * the end of that task to the next but one the clients wait, and the switch is between: one commit, which says which file counts. Then
 * they go on with that file. A flow that is turned back before the switch lets them go on with the old one.
 *
 * Wherever the process dies, nobody writes to the file that does not count: whoever waits for the switch goes on when he is told to, or has
 * lost his daemon. Nobody but this flow makes the exports of the volume meanwhile, as it holds it. So it makes them anew where they are
 * gone, while it copies; and each end looks at the row and makes them as it says.
 *
 * Killed (`test/crash/live-move.test.ts`) …
 *
 * - before its clients wait, and while they do: they go on with the old file at once, and the task is done again from its beginning;
 * - when they are bound, before the commit: tgtd is dead; the task exports the old file, which counts, and is done again;
 * - after the commit, and until all units have the new file: tgtd is dead; `ServeMoved` exports the new file, which counts;
 * - later: the clients have the new file, and the old one goes.
 */
import { attachmentsOf } from '../../db/attachments.ts';
import type { LiveSource, ModelUpdate, VolumeDriver, VolumeRef } from '../../drivers/driver.ts';
import type { Failure } from '../../engine/failure.ts';
import { pause } from '../../lib/clock.ts';
import type { Attachment } from '../../model/attachment.ts';
import { DriverNotInitialized, InvalidVolume } from '../../model/errors.ts';
import { record, type Tools, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';
import { type Destined, isSwitched, type MoveVolume } from './move-volume.ts';

/** Who has it by a path writes to the file and asks nobody. Throws `InvalidVolume`. */
export function checkMovable(attachments: readonly Attachment[]): void {
  const byPath = attachments.find(({ connectionInfo }) => connectionInfo?.driver_volume_type === 'local');
  if (byPath === undefined) return;
  throw new InvalidVolume(
    `Volume ${byPath.volumeId} is attached by its path (attachment ${byPath.id}), and who writes to it cannot be made to wait while it moves: detach it first. Over iSCSI it moves while it is attached.`,
  );
}

interface Attached {
  /** Attachments through which it is reached. They stay the same while the volume is held. */
  readonly attached: readonly string[];
}

type MovingAttached = MoveVolume & Destined & Attached;

interface Call {
  readonly tools: Tools;
  readonly signal: AbortSignal;
  progress(fraction: number): void;
}

export const FindAttached = record({
  name: 'find_attached',
  execute: async ({ volumeRef: { id } }: MoveVolume, { tx }): Promise<Attached> => {
    const reached = (await attachmentsOf(tx.db, id)).filter(({ connectionInfo }) => connectionInfo !== null);
    return { attached: reached.map((each) => each.id) };
  },
});

/** After a start one backend is up before the other, and a tgtd that was killed takes a moment to be there again: 8 s in all. */
const SOON = {
  tries: 6,
  backoffMs: 250,
  when: ({ name, transient }: Failure) => transient === true || name === 'DriverNotInitialized',
};

export const MoveLive = world({
  name: 'move_live',
  retry: SOON,
  execute: async (input: MovingAttached, call): Promise<{ received: ModelUpdate }> => {
    const { volumeRef, pool, copyId, copies } = input;
    const to = receiver(call.tools, input);
    const copy = { ...volumeRef, nameId: copyId };
    await exportTo(call, volumeRef, pool, input);
    const keeping = keepExported(input, call);
    const receive = (source: LiveSource): Promise<ModelUpdate> => {
      const hold = async (): Promise<void> => {
        // An export that were made from here on would have the old file open.
        await keeping.stop();
        await source.hold();
      };
      return to.receiveLive(copy, { ...source, hold }, { copies }, call);
    };
    try {
      return { received: await call.tools.driver(pool).giveLive(volumeRef, receive, call) };
    } finally {
      await keeping.stop();
    }
  },
  revert: async (input: MovingAttached, outcome, call) => {
    const { volumeRef, pool, destination, copyId } = input;
    if (neverAsked(outcome)) return;
    await goOn(input, call);
    if (await isSwitched(call.tools, volumeRef, copyId)) await call.tools.driver(pool).deleteVolume(volumeRef, call);
    else await call.tools.driver(destination).deleteVolume({ ...volumeRef, nameId: copyId }, call);
  },
});

/** What is left of the switch: the clients go on. */
export const ServeMoved = world({
  name: 'serve_moved',
  retry: SOON,
  execute: (input: MovingAttached, call) => goOn(input, call),
});

/** Those who wait go on with the file that the row says, and who is reached by none is again. */
async function goOn(input: MovingAttached, call: Call): Promise<void> {
  const { volumeRef, pool, destination, copyId } = input;
  const { driver } = call.tools;
  if (await isSwitched(call.tools, volumeRef, copyId)) {
    const copy = { ...volumeRef, nameId: copyId };
    await driver(pool).goOn(volumeRef, (await driver(destination).locateVolume(copy, 'write', call.signal)).path, call);
    await exportTo(call, copy, destination, input);
  } else {
    await driver(pool).goOn(volumeRef, null, call);
    await exportTo(call, volumeRef, pool, input);
  }
}

async function exportTo(call: Call, volume: VolumeRef, pool: string, { attached }: Attached): Promise<void> {
  for (const attachmentId of attached) {
    const { connector, connectionInfo: reached, attachMode, secret } = await call.tools.attachment(attachmentId);
    const wanted = { attachmentId, volume, connector: connector ?? {}, readOnly: attachMode === 'ro', secret, reached };
    await call.tools.driver(pool).ensureExport(wanted, call);
  }
}

/** Copying may take hours, and tgtd may die meanwhile: what is gone is exported again, as `upkeep/reconcile-exports.ts` would. */
function keepExported({ volumeRef, pool, attached }: MovingAttached, call: Call): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const signal = AbortSignal.any([stopped.signal, call.signal]);
  const look = async (): Promise<void> => {
    const there = new Set((await call.tools.driver(pool).listExports(signal)).map(({ attachmentId }) => attachmentId));
    const gone = { attached: attached.filter((id) => !there.has(id)) };
    // It is not left in the middle.
    await exportTo(call, volumeRef, pool, gone);
  };
  const kept = (async () => {
    for (;;) {
      await pause(LOOK_MS, signal).catch(() => {});
      if (signal.aborted) return;
      // Tried again; and what cannot be exported is no reason not to move.
      await look().catch(() => {});
    }
  })();
  return {
    stop: () => {
      stopped.abort();
      return kept;
    },
  };
}

const LOOK_MS = 2_000;

/** Throws `DriverNotInitialized`. */
function receiver({ driver }: Tools, { pool, destination }: MovingAttached): VolumeDriver {
  try {
    return driver(destination);
  } catch (error) {
    throw new DriverNotInitialized(
      `${destination} is down, or not served by the process that serves ${pool}: while it is attached a volume moves within one process. Detach it first.`,
      { cause: error },
    );
  }
}
