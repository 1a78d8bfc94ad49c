/**
 * One volume group and its thin pool, through LVM's programs: look, change, and how much room there is.
 *
 * **A program that changes something runs to its end**, whatever becomes of the call or of this process: while LVM takes a snapshot the
 * volume is suspended, and whoever writes to it waits. Killed there it would leave its clients waiting for good. These programs are
 * short, and wait for nobody but each other: LVM locks the group, for those who look, too. What was killed all the same (by the
 * system, or after minutes) is put right by the next look: a volume that is suspended then is nobody's work in progress.
 */
import { realpath, stat } from 'node:fs/promises';
import { errno } from '../../lib/errno.ts';
import { CommandFailed, CommandMissing, type Exec, printedTooMuch } from '../../lib/exec.ts';
import type { DataExtent } from '../../lib/file-content.ts';
import { BackendFull, DriverFailed, DriverNotInitialized } from '../../model/errors.ts';
import { Semaphore } from '../semaphore.ts';
import {
  activate,
  createPool,
  deltaThin,
  dumpThin,
  failWhenFull,
  type LvmArgv,
  newPoolStatus,
  type PoolName,
  poolStatus,
  releaseMetadata,
  reserveMetadata,
  resume,
  showGroup,
  showVolumes,
  thinStatus,
} from './lvm-argv.ts';
import { isNoDevice, isReserved } from './lvm-errors.ts';
import {
  type LogicalVolume,
  type PoolFacts,
  parseGroup,
  parsePoolStatus,
  parseThinStatus,
  parseVolumes,
} from './lvm-report.ts';
import { parseDelta, parseDump } from './thin-blocks.ts';

export interface VolumeGroupOptions extends PoolName {
  readonly exec: Exec;
  /** With the `lvm.conf` that counts; null: the system's. */
  readonly configurationDirectory: string | null;
  /** `/dev`; where a device is looked for. */
  readonly devices: Devices;
}

export interface Devices {
  readonly directory: string;
  /** Whether what is there is a device, and not a file that some program has made in its place. */
  isDevice(path: string): Promise<boolean>;
}

export const DEVICES: Devices = {
  directory: '/dev',
  isDevice: async (path) => (await stat(path)).isBlockDevice(),
};

export interface PoolSpace {
  readonly totalBytes: number;
  /** What can be written for sure: the pool ends with its data or its metadata, whichever is first. */
  readonly freeBytes: number;
  /** Exactly what is written, in whole blocks. */
  readonly usedBytes: number;
}

/** A look took 0.3 s in a guest under emulation; a removal that gives terabytes back takes minutes. */
const LOOK_MS = 60_000;
const CHANGE_MS = 10 * 60_000;
/** Of a node of the metadata, which is a block of 4 KiB: a full one maps 252 blocks of data, and one that was just split half as many. */
const MAPPED_BY_BLOCK = 126;
/** Of the metadata, never counted on: the kernel makes the pool read-only when it is used up, and only a repair ends that. */
const METADATA_RESERVE = 0.04;

export class VolumeGroup {
  readonly #options: VolumeGroupOptions;
  /** There is one reserved metadata. */
  readonly #metadata = new Semaphore(1);
  #pool: PoolFacts | undefined;

  constructor(options: VolumeGroupOptions) {
    this.#options = options;
  }

  get group(): string {
    return this.#options.group;
  }

  get poolName(): PoolName {
    return this.#options;
  }

  /** `/dev/GROUP` */
  get directory(): string {
    return `${this.#options.devices.directory}/${this.group}`;
  }

  /** What runs one of LVM's programs must have beside what this process has. */
  get environment(): Readonly<Record<string, string>> {
    const { configurationDirectory } = this.#options;
    return configurationDirectory === null ? {} : { LVM_SYSTEM_DIR: configurationDirectory };
  }

  /** Its extents in bytes, of a group that has a pool in which volumes can be. `create`: the pool is made when it is missing. */
  async start(create: boolean, signal: AbortSignal): Promise<number> {
    const { group, pool } = this.#options;
    const extentBytes = parseGroup(await this.#look(showGroup(group), signal));
    let found = await this.#findPool(signal);
    if (found === undefined && create) {
      await this.change(createPool(this.poolName), signal);
      await this.change(failWhenFull(this.poolName), signal);
      found = await this.#findPool(signal);
    }
    if (found === undefined)
      throw new DriverNotInitialized(
        `Volume group ${group} has no thin pool ${pool}: make one ("lvcreate --type thin-pool --extents 95%FREE --name ${pool} ${group}"), or start once with "create".`,
      );
    if (!found.zeroes)
      throw new DriverNotInitialized(
        `Thin pool ${group}/${pool} gives blocks of deleted volumes to new ones as they are: "lvchange --zero y ${group}/${pool}" ends that.`,
      );
    if (!found.isActive) await this.change(activate(group, pool), signal);
    this.#pool = found;
    return extentBytes;
  }

  async #findPool(signal: AbortSignal): Promise<PoolFacts | undefined> {
    const { pools } = parseVolumes(await this.#look(showVolumes(this.group), signal));
    return pools.find(({ name }) => name === this.#options.pool);
  }

  get #started(): PoolFacts {
    if (this.#pool === undefined) throw new DriverNotInitialized(`Volume group ${this.group} has not been started.`);
    return this.#pool;
  }

  /** All that there is in the group, by name. */
  async all(signal: AbortSignal): Promise<ReadonlyMap<string, LogicalVolume>> {
    const { name: pool } = this.#started;
    const { volumes } = parseVolumes(await this.#look(showVolumes(this.group), signal));
    for (const volume of volumes)
      if (volume.isSuspended && volume.pool === pool) await this.change(resume(this.group, volume.name), signal);
    return new Map(volumes.map((volume) => [volume.name, volume]));
  }

  readonly isOfPool = ({ pool }: LogicalVolume): boolean => pool === this.#options.pool;

  /** To its end, once it has begun. */
  async change(argv: LvmArgv, signal: AbortSignal, input?: string): Promise<void> {
    signal.throwIfAborted();
    await this.changeAnyway(argv, input);
  }

  /** Also after the call was stopped: what it made is to be taken away. */
  async changeAnyway(argv: LvmArgv, input?: string): Promise<void> {
    await this.#options.exec(argv, {
      signal: new AbortController().signal,
      timeoutMs: CHANGE_MS,
      environment: this.environment,
      ...(input !== undefined && { input }),
    });
  }

  #look(argv: LvmArgv, signal: AbortSignal): Promise<string> {
    return this.#options.exec(argv, { signal, timeoutMs: LOOK_MS, environment: this.environment });
  }

  /** Of a volume that is active. */
  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  /**
   * The node of an active volume's device, which is no link. A program that opens a missing one to write makes a file there, in memory,
   * and says that all is well: so it is looked at.
   */
  async device(name: string): Promise<string> {
    const path = this.path(name);
    const found = await realpath(path).catch((error: unknown) => {
      if (errno(error) !== 'ENOENT') throw error;
      return null;
    });
    if (found !== null && (await this.#options.devices.isDevice(found))) return found;
    throw new DriverFailed(
      `${path} is no device, though LVM says that it is active. Where no udev runs, lvm.conf must say so: activation { udev_sync = 0 udev_rules = 0 }.`,
    );
  }

  async space(signal: AbortSignal): Promise<PoolSpace> {
    const { chunkBytes } = this.#started;
    const shown = await this.#look(poolStatus(this.poolName), signal).catch((error: unknown) => {
      if (!isNoDevice(error)) throw error;
      return this.#look(newPoolStatus(this.poolName), signal);
    });
    const status = parsePoolStatus(shown);
    if (status.mode === 'Fail' || status.mode === 'Error')
      throw new DriverFailed(
        `Thin pool ${this.group}/${this.#options.pool} has failed (${status.mode}): it wants a repair ("lvconvert --repair").`,
      );
    const { blocks, usedBlocks, metadataBlocks, usedMetadataBlocks } = status;
    const spare = metadataBlocks * (1 - METADATA_RESERVE) - usedMetadataBlocks;
    const mappable = Math.max(0, Math.floor(spare * MAPPED_BY_BLOCK));
    const free = status.mode === 'ro' ? 0 : Math.min(blocks - usedBlocks, mappable);
    return { totalBytes: blocks * chunkBytes, freeBytes: free * chunkBytes, usedBytes: usedBlocks * chunkBytes };
  }

  /** Bytes of the pool that an active volume has, in whole blocks; 0 of one that is gone. */
  async takenBy(name: string): Promise<number> {
    const { signal } = new AbortController();
    const output = await this.#look(thinStatus(this.group, name), signal).catch((error: unknown) => {
      if (!(error instanceof CommandFailed)) throw error;
      return null;
    });
    return output === null ? 0 : parseThinStatus(output);
  }

  /** Rejects with `BackendFull` when something that was written may have been lost: a full pool forgets what was answered from memory. */
  async demandRoom(signal: AbortSignal): Promise<void> {
    const { freeBytes } = await this.space(signal);
    if (freeBytes === 0) throw new BackendFull(`Thin pool ${this.group}/${this.#options.pool} is full.`);
  }

  /** Where a volume has blocks; undefined where that cannot be told. */
  async blocksOf(volume: LogicalVolume, signal: AbortSignal): Promise<readonly DataExtent[] | undefined> {
    const { thinId, bytes } = volume;
    if (thinId === null) return undefined;
    return await this.#ofMetadata(signal, async () =>
      parseDump(await this.#look(dumpThin(this.poolName, thinId), signal), bytes),
    );
  }

  /** Where the later of two may differ from the earlier; undefined where that cannot be told. */
  async differences(
    earlier: LogicalVolume,
    later: LogicalVolume,
    signal: AbortSignal,
  ): Promise<readonly DataExtent[] | undefined> {
    const [before, after] = [earlier.thinId, later.thinId];
    if (before === null || after === null) return undefined;
    // The program knows nothing of a volume's differences from itself.
    if (before === after) return [];
    return await this.#ofMetadata(signal, async () =>
      parseDelta(await this.#look(deltaThin(this.poolName, before, after), signal), later.bytes),
    );
  }

  #ofMetadata<Result>(signal: AbortSignal, read: () => Promise<Result>): Promise<Result | undefined> {
    return this.#metadata.run({ signal }, async () => {
      await this.#reserve(signal);
      try {
        return await read();
      } catch (error) {
        if (printedTooMuch(error) || error instanceof CommandMissing) return undefined;
        throw error;
      } finally {
        await this.changeAnyway(releaseMetadata(this.poolName));
      }
    });
  }

  async #reserve(signal: AbortSignal): Promise<void> {
    try {
      await this.change(reserveMetadata(this.poolName), signal);
    } catch (error) {
      // Of a process that was killed: who holds the backend is the only one to reserve it.
      if (!(error instanceof CommandFailed) || !isReserved(error)) throw error;
      await this.change(releaseMetadata(this.poolName), signal);
      await this.change(reserveMetadata(this.poolName), signal);
    }
  }
}
