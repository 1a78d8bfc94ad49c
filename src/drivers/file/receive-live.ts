/**
 * A volume that comes from another backend while clients write to it.
 *
 * First all of it is copied as it was at one moment; then, round by round, what differs between that moment and a new one
 * (`catch-up.pl`), until little is left. Then the clients wait, the last bite is copied from the file itself, and the new file gets its
 * full name, durable. In one file system nothing is copied: the file gets another name, or another file shares its blocks.
 *
 * What is there under the full name, and is of a call that was killed, lacks what was written since, and is thrown away.
 *
 * A client that writes faster than is copied is never caught up with. It is refused by name, before it waits for long.
 */

import { stat } from 'node:fs/promises';
import { MIB } from '../../lib/bytes.ts';
import type { Exec } from '../../lib/exec.ts';
import { DriverFailed, LiveMoveRefused } from '../../model/errors.ts';
import type { DriverCall, LiveSource } from '../driver.ts';
import { catchUp, catchUpHeld } from './catch-up.ts';
import { copyData } from './file-copy.ts';
import type { FileStore } from './file-store.ts';
import { createEmpty, publish, setLength } from './publish.ts';
import { isNamedAlso, type Receiving } from './receive.ts';

/** So little is copied while clients wait, within some ten milliseconds. */
const SOON_COPIED = 8 * MIB;
/** Nor is more than this, where the rounds do not become smaller. */
const MOST_IN_HOLD = 64 * MIB;
/** A round of more than this part of the one before does not make the rest smaller. */
const SHRINKING = 0.8;
const MOST_ROUNDS = 12;

export interface ReceivingLive extends Omit<Receiving, 'sizeGiB'> {
  readonly source: LiveSource;
}

export async function receiveLive(
  store: FileStore,
  exec: Exec,
  receiving: ReceivingLive,
  call: DriverCall,
): Promise<void> {
  const { full, source } = receiving;
  await store.remove(full, call.signal);
  await store.temporaries.replaced(full, async (path) => {
    await createEmpty(path);
    await fill(store, exec, path, receiving, call);
    if ((await stat(path)).size !== source.bytes)
      throw new DriverFailed(`${source.path} changed its size while it was copied.`);
    call.signal.throwIfAborted();
    await publish(path, store.path(full));
  });
  await store.syncNames();
}

/** Whoever writes to the source waits when it resolves, and the file at `path` holds all of it. */
async function fill(
  store: FileStore,
  exec: Exec,
  path: string,
  { source, copies }: ReceivingLive,
  call: DriverCall,
): Promise<void> {
  const { signal } = call;
  if (!copies && (await isNamedAlso(store, source.path, path))) return source.hold();
  if (!copies && (await store.share(source.path, path, signal))) {
    await source.hold();
    await store.share(source.path, path, signal);
    return store.syncContent([path], signal);
  }
  const before = await source.moment();
  if (before === null) {
    throw new LiveMoveRefused(
      `The file system of ${source.path} cannot share blocks (XFS and Btrfs can), so what is written to the volume while it is copied cannot be followed: detach it first.`,
    );
  }
  await setLength(path, source.bytes);
  const needs = async (): Promise<number> => (await stat(before)).blocks * 512;
  await store.writing({ path, needs }, call, async (bytesPerSecond) => {
    await copyData(exec, { path: before, bytes: source.bytes }, path, bytesPerSecond, call);
    const last = await follow(exec, { before, target: path, bytesPerSecond }, source, signal);
    const lastBite = { before: last, later: source.path, target: path, bytesPerSecond: 0 };
    await catchUpHeld(exec, lastBite, () => source.hold(), signal);
  });
}

/** Resolves with the moment that the target holds, when little has been written since. */
async function follow(
  exec: Exec,
  { before, target, bytesPerSecond }: { before: string; target: string; bytesPerSecond: number },
  source: LiveSource,
  signal: AbortSignal,
): Promise<string> {
  let held = before;
  let left = Number.POSITIVE_INFINITY;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const later = await source.moment();
    if (later === null) throw new DriverFailed(`${source.path} shares its blocks no more.`);
    const copied = await catchUp(exec, { before: held, later, target, bytesPerSecond }, signal);
    held = later;
    if (copied <= SOON_COPIED || (copied > left * SHRINKING && copied <= MOST_IN_HOLD)) return held;
    left = copied;
  }
  throw new LiveMoveRefused(
    `The volume is written to faster than it is copied: ${Math.ceil(left / MIB)} MiB were written during the last of ${MOST_ROUNDS} rounds. Move it when less is written to it, detach it first, or raise volume_copy_bps_limit.`,
  );
}
