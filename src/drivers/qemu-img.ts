/**
 * Disk images, converted by `qemu-img`, which is never trusted with a choice.
 *
 * An image was read here before (`images/read-image.ts`), so `qemu-img` finds nothing to follow. All the same: the format is
 * always passed, never probed; the report of `qemu-img info` is searched for other files again, and must be of the size that
 * was read; both programs run with limited memory and time.
 *
 * Paths are made absolute, since `qemu-img` takes `json:…` and `nbd:…` for more than names.
 *
 * The target of a conversion is there before and has its full size. A raw file that `qemu-img` makes itself has, on XFS, an
 * extent-size hint of 1 MiB for life (seen with 7.2): each scattered write then takes 1 MiB. Writing past the page cache, where
 * the file system can, keeps the copy from pushing out what guests read; the image itself is read through it, as it was
 * compared with its hash a moment before.
 */
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { errno } from '../lib/errno.ts';
import { CommandFailed, type Exec } from '../lib/exec.ts';
import { ImageCopyFailure, ImageUnacceptable } from '../model/errors.ts';
import type { DriverCall, ImageFile, RawSource } from './driver.ts';
import type { ImageFacts } from './images/read-image.ts';

type Format = ImageFile['format'];

/** Address space. Converting was seen to work with half of it, from every format, and to die with 380 MiB. */
const MEMORY_BYTES = 1024 ** 3;
const INSPECT_LIMITS = { memoryBytes: MEMORY_BYTES, cpuSeconds: 30, timeoutMs: 60_000 };

/**
 * Rejects with `ImageUnacceptable` for anything that must not be converted, and as `fits` does for what is too large.
 * No program is started before our own reading said yes, and none for a raw image.
 */
export async function inspect(
  exec: Exec,
  image: ImageFile,
  signal: AbortSignal,
  fits: (virtualBytes: number) => void,
): Promise<ImageFacts> {
  // Loaded by those who have an image.
  const { readImage } = await import('./images/read-image.ts');
  const facts = await readImage(image, signal, fits);
  if (image.format === 'raw') return facts;
  const path = resolve(image.path);
  try {
    const report = parseInfo(await exec(infoArgv(path, image.format), { signal, ...INSPECT_LIMITS }));
    if (acceptedSize(report, image.format, path) === facts.virtualBytes) return facts;
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new ImageUnacceptable(`The image could not be read as ${image.format}.`, { cause: error });
  }
  throw new ImageUnacceptable(`The image is not acceptable as ${image.format}: its size is told in two ways.`);
}

/** What a conversion may use. */
export interface ConversionLimits {
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
  readonly timeoutMs: number;
}

/** How quickly it is written. */
export interface Rate {
  /** 0: no limit. */
  readonly bytesPerSecond: number;
  /** Written in all, at most. */
  readonly bytes: number;
}

/** At its rate a copy may take longer than what has none. */
export function withinMs(timeoutMs: number, { bytesPerSecond, bytes }: Rate): number {
  const atRateMs = bytesPerSecond > 0 ? (bytes / bytesPerSecond) * 1000 : 0;
  return Math.min(timeoutMs + 2 * atRateMs, LONGEST_TIMER_MS);
}

/** Of what Node's timers can wait for. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const CONVERSION_LIMITS: ConversionLimits = {
  memoryBytes: MEMORY_BYTES,
  cpuSeconds: 3_600,
  timeoutMs: 12 * 3600 * 1000,
};

/** Writes the image's content into `target`, a raw file of full size without any data. The image has been inspected. */
export async function convert(
  exec: Exec,
  image: ImageFile,
  target: string,
  { limits, rate, dataBytes }: { readonly limits: ConversionLimits; readonly rate: Rate; readonly dataBytes: number },
  call: DriverCall,
): Promise<void> {
  const direct = await canBeDirect(target);
  await exec(convertArgv(resolve(image.path), image.format, target, { direct, bytesPerSecond: rate.bytesPerSecond }), {
    ...limits,
    timeoutMs: withinMs(limits.timeoutMs, rate),
    signal: call.signal,
    onOutput: progressOf(dataBytes, call),
  }).catch((error: unknown) => {
    if (!(error instanceof CommandFailed) || /No space left on device|Disk quota/.test(error.stderr)) throw error;
    throw new ImageCopyFailure('The image could not be converted.', { cause: error });
  });
}

/**
 * Writes what a raw file or device holds, which may be open elsewhere, into `target`, a file of the same size without any data; holes and zeroes are left out,
 * and no more is copied in a second than `bytesPerSecond` (0: no limit).
 * Neither goes through the page cache where the file systems can do without: what guests read stays in it.
 */
export async function copyRaw(
  exec: Exec,
  source: RawSource,
  target: string,
  bytesPerSecond: number,
  call: DriverCall,
): Promise<void> {
  const dataBytes = await dataBytesOf(source);
  const direct = { source: await canBeDirect(source.path, constants.O_RDONLY), target: await canBeDirect(target) };
  await exec(copyRawArgv(resolve(source.path), resolve(target), direct, bytesPerSecond), {
    timeoutMs: withinMs(CONVERSION_LIMITS.timeoutMs, { bytesPerSecond, bytes: source.bytes }),
    signal: call.signal,
    onOutput: progressOf(dataBytes, call),
  });
}

/** What of a raw file or device may be data: what it takes on its disk. */
export async function dataBytesOf({ path, dataBytes }: RawSource): Promise<number> {
  return dataBytes ?? (await stat(path)).blocks * 512;
}

type Argv = readonly [string, ...string[]];

export const infoArgv = (path: string, format: Format): Argv => [
  'qemu-img',
  'info',
  '--output=json',
  ...imageSource(path, format),
];

/** `direct`: whether the target is opened past the page cache. `bytesPerSecond`: 0 is no limit. */
export const convertArgv = (
  path: string,
  format: Format,
  target: string,
  { direct, bytesPerSecond }: { readonly direct: boolean; readonly bytesPerSecond: number },
): Argv => [
  'qemu-img',
  'convert',
  '-p',
  '-n',
  '--target-is-zero',
  ...(direct ? ['-t', 'none'] : []),
  ...atRate(bytesPerSecond),
  '-O',
  'raw',
  '-S',
  '4k',
  ...imageSource(path, format, target),
];

/** `direct`: which of the two is opened past the page cache. `bytesPerSecond`: 0 is no limit. */
export const copyRawArgv = (
  path: string,
  target: string,
  direct: { readonly source: boolean; readonly target: boolean },
  bytesPerSecond: number,
): Argv => [
  'qemu-img',
  'convert',
  '-p',
  '-U',
  '-n',
  '--target-is-zero',
  ...(direct.target ? ['-t', 'none'] : []),
  ...(direct.source ? ['-T', 'none'] : []),
  ...atRate(bytesPerSecond),
  '-O',
  'raw',
  '-S',
  '4k',
  ...imageSource(path, 'raw', target),
];

/** Holes and zeroes cost nothing of it. */
export const atRate = (bytesPerSecond: number): string[] => (bytesPerSecond > 0 ? ['-r', String(bytesPerSecond)] : []);

/** Of a VHD, which of its two sizes counts must be said, and can be said in this way only. A comma is doubled in it. */
export function imageSource(path: string, format: Format, ...target: readonly string[]): string[] {
  if (format !== 'vhd') return ['-f', format, '--', path, ...target];
  const name = path.replaceAll(',', ',,');
  const options = `driver=vpc,force_size_calc=current_size,file.driver=file,file.filename=${name}`;
  return ['--image-opts', '--', options, ...target];
}

/** Whether it can be read and written past the page cache, as it is opened. */
export async function canBeDirect(path: string, flags: number = constants.O_RDWR): Promise<boolean> {
  try {
    await (await open(path, flags | constants.O_DIRECT)).close();
    return true;
  } catch (error) {
    if (errno(error) === 'EINVAL') return false;
    throw error;
  }
}

interface Report {
  readonly format?: unknown;
  readonly 'virtual-size'?: unknown;
}

export function parseInfo(output: string): Report {
  const report: unknown = JSON.parse(output);
  if (typeof report !== 'object' || report === null) throw new ImageUnacceptable('The image is not described.');
  return report;
}

/** What reads the output of a program that copies so much data, and tells how far it is. */
export const progressOf =
  (dataBytes: number, { progress }: Pick<DriverCall, 'progress'>) =>
  (text: string): void => {
    const fraction = parseProgress(text);
    if (fraction !== null) progress(fraction, { bytes: Math.round(fraction * dataBytes), of: dataBytes });
  };

/** 0…1 from the last `(12.34/100%)` in a piece of output; null when there is none. */
export function parseProgress(text: string): number | null {
  const percent = [...text.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/g)].at(-1)?.[1];
  return percent === undefined ? null : Math.min(1, Number(percent) / 100);
}

/** The virtual size in bytes of an image that stands alone and is what it claims to be. */
export function acceptedSize(report: Report, format: Format, path: string): number {
  const refuse = (why: string): never => {
    throw new ImageUnacceptable(`The image is not acceptable as ${format}: ${why}.`);
  };
  const known = format === 'vhd' ? 'vpc' : format;
  if (report.format !== known) refuse(`it is ${String(report.format)}`);
  for (const [key, value] of everyEntry(report)) {
    if (key === 'backing-filename' || key === 'full-backing-filename') refuse('it has a backing file');
    if (key === 'data-file') refuse('it keeps its data in another file');
    if (key === 'filename' && value !== path && !isOptionsOf(path, value)) refuse('it names another file');
    if (key === 'encrypted' && value === true) refuse('it is encrypted');
    if (key === 'corrupt' && value === true) refuse('it is marked as corrupt');
  }
  const bytes = report['virtual-size'];
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes <= 0) return refuse('it has no size');
  return bytes;
}

/** How a file is called that was given with options. */
function isOptionsOf(path: string, name: unknown): boolean {
  if (typeof name !== 'string' || !name.startsWith('json:')) return false;
  const names = [...everyEntry(JSON.parse(name.slice('json:'.length)))].filter(([key]) => key === 'filename');
  return names.length === 1 && names[0]?.[1] === path;
}

function* everyEntry(value: unknown): Generator<readonly [string, unknown]> {
  if (typeof value !== 'object' || value === null) return;
  for (const entry of Object.entries(value)) {
    yield entry;
    yield* everyEntry(entry[1]);
  }
}
