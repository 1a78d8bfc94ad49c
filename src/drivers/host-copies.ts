/**
 * The copies of a host: whole volumes and images that programs write here, whichever backend they are for.
 *
 * Any number may be asked for. So many run at once, the others wait, and projects take turns (`semaphore.ts`). Each is written at an
 * equal part of the host's rate, since only a rate spares those who use the disks meanwhile: neither priorities nor fewer
 * requests at once did. A program is told its rate when it starts, so that a copy which is alone has no more than its part.
 *
 * Space is looked for when the turn has come, and is the copy's from then on: what those that run have yet to write is there for
 * nobody else, whichever backends share the file system, or the pool of blocks. What guests write into sparse files is not foreseen.
 */
import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pause } from '../lib/clock.ts';
import { errno } from '../lib/errno.ts';
import { CommandFailed, exec } from '../lib/exec.ts';
import { BackendFull } from '../model/errors.ts';
import type { DriverCall } from './driver.ts';
import { Semaphore } from './semaphore.ts';

/** statfs(2) */
const BTRFS = 0x9123683e;
const XFS = 0x58465342;

/** File systems that have the room of what was deleted to give only later: what to wait for, and how often. */
const FREES_LATER: Readonly<
  Record<number, { readonly looks: number; wait(directory: string, signal: AbortSignal): Promise<void> }>
> = {
  [BTRFS]: { looks: 1, wait: nextCommit },
  // It frees in the background, and does not say when that is done.
  [XFS]: { looks: 5, wait: (_, signal) => pause(200, signal) },
};

export interface HostCopiesOptions {
  /** How many run at once. Default 2. */
  readonly atOnce?: number;
  /** Of all together. Default 0: as fast as it goes. */
  readonly bytesPerSecond?: number;
}

/** What a copy writes. */
export interface Writing {
  /** The file, which need not be there yet; its directory is. */
  readonly path: string;
  /**
   * Bytes that it takes in all, asked when its turn has come, with those that are free: an estimate will do where it fits, and is made
   * exact where it does not.
   */
  needs(freeBytes: number): number | Promise<number>;
  /** Where its room is. Default: the file system that it is in. */
  readonly room?: CopyRoom;
}

/** Whence copies take their room, where that is no file system. */
export interface CopyRoom {
  /** Copies of one name take from the same. */
  readonly name: string;
  freeBytes(): Promise<number>;
  /** Of this copy: what it has taken until now. */
  takenBytes(): Promise<number>;
}

/** A copy that runs. */
interface Reserved {
  readonly room: CopyRoom;
  readonly bytes: number;
}

export class HostCopies {
  /** Who runs, and who waits. */
  readonly turns: Semaphore;
  /** Two that look at the same time would both find the room of one. */
  readonly #looks = new Semaphore(1);
  readonly #partOfEach: number;
  readonly #reserved = new Set<Reserved>();

  constructor({ atOnce = 2, bytesPerSecond = 0 }: HostCopiesOptions = {}) {
    this.turns = new Semaphore(atOnce);
    this.#partOfEach = Math.ceil(bytesPerSecond / atOnce);
  }

  /** Runs `write` when its turn has come, with the rate of it (0: no limit). Rejects with `BackendFull` when there is no room for it. */
  run(writing: Writing, call: DriverCall, write: (bytesPerSecond: number) => Promise<void>): Promise<void> {
    return this.turns.run(call, async () => {
      const reserved = await this.#reserve(writing, call.signal);
      try {
        await write(this.#partOfEach);
      } finally {
        this.#reserved.delete(reserved);
      }
    });
  }

  /** The same for what is written elsewhere, whose room is for others to look for. */
  runElsewhere(call: DriverCall, write: (bytesPerSecond: number) => Promise<void>): Promise<void> {
    return this.turns.run(call, () => write(this.#partOfEach));
  }

  async #reserve({ path, needs, room: other }: Writing, signal: AbortSignal): Promise<Reserved> {
    const room = other ?? (await roomOfFile(path));
    const bytes = await needs(await this.#free(room));
    return this.#looks.run({ signal }, async () => {
      let free = await this.#free(room);
      const later = other === undefined && bytes > free ? FREES_LATER[(await statfs(dirname(path))).type] : undefined;
      for (let looks = later?.looks ?? 0; bytes > free && looks > 0; looks -= 1) {
        await later?.wait(dirname(path), signal);
        free = await this.#free(room);
      }
      if (bytes > free)
        throw new BackendFull(`The copy needs ${bytes} bytes or more, and ${free} are left where it is written.`);
      const reserved = { room, bytes };
      this.#reserved.add(reserved);
      return reserved;
    });
  }

  /** What nobody has, and no copy that runs is going to have. */
  async #free(room: CopyRoom): Promise<number> {
    const others = [...this.#reserved].filter((each) => each.room.name === room.name);
    const untaken = await Promise.all(
      others.map(async ({ room, bytes }) => Math.max(0, bytes - (await room.takenBytes()))),
    );
    return Math.max(0, (await room.freeBytes()) - untaken.reduce((sum, each) => sum + each, 0));
  }
}

async function roomOfFile(path: string): Promise<CopyRoom> {
  const directory = dirname(path);
  const { dev } = await stat(directory);
  return {
    name: `device ${dev}`,
    freeBytes: async () => {
      const { bavail, bsize } = await statfs(directory);
      return bavail * bsize;
    },
    takenBytes: () => written(path),
  };
}

async function nextCommit(directory: string, signal: AbortSignal): Promise<void> {
  await exec(['sync', '--file-system', '--', directory], { signal }).catch((error: unknown) => {
    // Of a disk that is full it fails, and what is free is looked at all the same.
    if (!(error instanceof CommandFailed)) throw error;
  });
}

/** Bytes that a file has on the disk. */
async function written(path: string): Promise<number> {
  try {
    return (await stat(path)).blocks * 512;
  } catch (error) {
    if (errno(error) === 'ENOENT') return 0;
    throw error;
  }
}
