/**
 * Disk images and raw files written into an image of the pool by `qemu-img`, many pieces at once and in whatever order they come: a quarter of
 * the time of the usual way (10.9 s of 44.8 for 512 MiB in pieces of 1 MiB), with no file between.
 *
 * It is a client of the cluster by itself: it dies with this process, and whoever finds the image open by it later fences it. A pool that
 * is full makes it wait for ever, so somebody looks meanwhile (`room`), and ends it.
 */
import { resolve } from 'node:path';
import { pause } from '../../lib/clock.ts';
import { CommandFailed, DIES_WITH_US, type Exec } from '../../lib/exec.ts';
import { BackendFull, ImageCopyFailure } from '../../model/errors.ts';
import type { DriverCall, ImageFile } from '../driver.ts';
import { atRate, type ConversionLimits, imageSource, progressOf, type Rate, withinMs } from '../qemu-img.ts';
import type { RbdAddress } from './helper-process.ts';
import { blockOptions } from './image-options.ts';

/** Pieces that are under way at once. */
const AT_ONCE = 16;
/** Address space that librbd takes besides. */
const LIBRBD_BYTES = 1024 ** 3;
const LOOK_MS = 2_000;
/** Less is as good as none: the cluster stops writes before its last byte. */
const LEAST_BYTES = 16 * 1024 ** 2;

export interface Conversion {
  readonly source: ImageFile;
  /** All zeroes, and at least of the size of the source. */
  readonly target: string;
  readonly address: RbdAddress;
  readonly limits: ConversionLimits;
  readonly rate: Rate;
  readonly dataBytes: number;
  /** Bytes that are free in the pool. */
  readonly room: (signal: AbortSignal) => Promise<number>;
}

export async function convertInto(exec: Exec, conversion: Conversion, call: DriverCall): Promise<void> {
  const { limits, rate, dataBytes } = conversion;
  const full = new AbortController();
  const ended = new AbortController();
  const watching = watchRoom(conversion, full, ended.signal);
  try {
    await exec([...DIES_WITH_US, ...intoArgv(conversion)], {
      ...limits,
      memoryBytes: limits.memoryBytes + LIBRBD_BYTES,
      timeoutMs: withinMs(limits.timeoutMs, rate),
      signal: AbortSignal.any([call.signal, full.signal]),
      onOutput: progressOf(dataBytes, call),
    });
  } catch (error) {
    if (!(error instanceof CommandFailed) || /No space left on device|Disk quota/.test(error.stderr)) throw error;
    throw new ImageCopyFailure('The image could not be converted.', { cause: error });
  } finally {
    ended.abort();
    await watching;
  }
}

async function watchRoom({ room }: Conversion, full: AbortController, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    await pause(LOOK_MS, ended).catch(() => {});
    if (ended.aborted) return;
    // A cluster that is away is for others to tell of.
    const free = await room(ended).catch(() => Number.POSITIVE_INFINITY);
    if (free < LEAST_BYTES) full.abort(new BackendFull('No space is left in the pool.'));
  }
}

type Argv = readonly [string, ...string[]];

export const intoArgv = ({
  source,
  target,
  address,
  rate,
}: Pick<Conversion, 'source' | 'target' | 'address' | 'rate'>): Argv => [
  'qemu-img',
  'convert',
  '-p',
  '-n',
  '-W',
  '-m',
  String(AT_ONCE),
  '--target-is-zero',
  ...atRate(rate.bytesPerSecond),
  '-S',
  '4k',
  '--target-image-opts',
  ...imageSource(resolve(source.path), source.format, blockOptions(address, target)),
];
