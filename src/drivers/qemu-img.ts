/**
 * Disk images, read by `qemu-img`, which is never trusted with a choice.
 *
 * An image comes from anyone. A qcow2 whose backing file is a file of this host would be converted with that file's
 * content in it, so: the format is the one the image's metadata claims and is always passed (`-f`); a header that points
 * elsewhere is refused before `qemu-img` opens it; what `qemu-img info` then reports is searched for other files again;
 * both programs run with limited memory and time. A raw image may begin with any bytes, a qcow2 header too: it is raw.
 *
 * Paths are made absolute, since `qemu-img` takes `json:…` and `nbd:…` for more than names.
 */
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CommandFailed, type Exec } from '../lib/exec.ts';
import { ImageCopyFailure, ImageUnacceptable } from '../model/errors.ts';
import type { Call, ImageFile } from './driver.ts';
import { errno } from './file-errors.ts';
import { HEADER_BYTES, headerFault } from './image-header.ts';

type Format = ImageFile['format'];

/** Address space. Converting was seen to work with half of it, from every format, and to die with 380 MiB. */
const MEMORY_BYTES = 1024 ** 3;
const INSPECT_LIMITS = { memoryBytes: MEMORY_BYTES, cpuSeconds: 30, timeoutMs: 60_000 };

export interface ImageInfo {
  /** Size of the disk the image describes. */
  readonly virtualBytes: number;
  /** What its content needs on a sparse file system, at most. */
  readonly dataBytes: number;
}

/** Rejects with `ImageUnacceptable` for anything that must not be converted. */
export async function inspect(exec: Exec, image: ImageFile, signal: AbortSignal): Promise<ImageInfo> {
  const path = resolve(image.path);
  if (image.format !== 'raw') {
    const fault = headerFault(await readHeader(path), image.format);
    if (fault !== null) throw new ImageUnacceptable(`The image is not acceptable as ${image.format}: ${fault}.`);
  }
  try {
    const virtualBytes = acceptedSize(
      parseInfo(await exec(infoArgv(path, image.format), { signal, ...INSPECT_LIMITS })),
      image.format,
      path,
    );
    const dataBytes = parseMeasure(await exec(measureArgv(path, image.format), { signal, ...INSPECT_LIMITS }));
    return { virtualBytes, dataBytes };
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new ImageUnacceptable(`The image could not be read as ${image.format}.`, { cause: error });
  }
}

/** What a conversion may use. */
export interface ConversionLimits {
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
  readonly timeoutMs: number;
}

export const CONVERSION_LIMITS: ConversionLimits = {
  memoryBytes: MEMORY_BYTES,
  cpuSeconds: 3_600,
  timeoutMs: 12 * 3600 * 1000,
};

/** Writes the image's content, sparse, into the raw file `target`. The image has been inspected. */
export async function convert(
  exec: Exec,
  image: ImageFile,
  target: string,
  limits: ConversionLimits,
  call: Call,
): Promise<void> {
  const onOutput = (text: string): void => {
    const fraction = parseProgress(text);
    if (fraction !== null) call.progress(fraction);
  };
  await exec(convertArgv(resolve(image.path), image.format, target), {
    ...limits,
    signal: call.signal,
    onOutput,
  }).catch((error: unknown) => {
    if (!(error instanceof CommandFailed) || /No space left on device|Disk quota/.test(error.stderr)) throw error;
    throw new ImageCopyFailure('The image could not be converted.', { cause: error });
  });
}

type Argv = readonly [string, ...string[]];

export const infoArgv = (path: string, format: Format): Argv => [
  'qemu-img',
  'info',
  '--output=json',
  '-f',
  format,
  '--',
  path,
];

// As if for a qcow2: for a raw target the answer is the whole disk, holes included.
export const measureArgv = (path: string, format: Format): Argv => [
  'qemu-img',
  'measure',
  '--output=json',
  '-f',
  format,
  '-O',
  'qcow2',
  path,
];

export const convertArgv = (path: string, format: Format, target: string): Argv => [
  'qemu-img',
  'convert',
  '-p',
  '-f',
  format,
  '-O',
  'raw',
  '-S',
  '4k',
  '--',
  path,
  target,
];

interface Report {
  readonly format?: unknown;
  readonly 'virtual-size'?: unknown;
}

export function parseInfo(output: string): Report {
  const report: unknown = JSON.parse(output);
  if (typeof report !== 'object' || report === null) throw new ImageUnacceptable('The image is not described.');
  return report;
}

export function parseMeasure(output: string): number {
  const { required } = JSON.parse(output) as { readonly required?: unknown };
  if (typeof required !== 'number') throw new ImageUnacceptable('The image cannot be measured.');
  return required;
}

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
  if (report.format !== format) refuse(`it is ${String(report.format)}`);
  for (const [key, value] of everyEntry(report)) {
    if (key === 'backing-filename' || key === 'full-backing-filename') refuse('it has a backing file');
    if (key === 'data-file') refuse('it keeps its data in another file');
    if (key === 'filename' && value !== path) refuse('it names another file');
    if (key === 'encrypted' && value === true) refuse('it is encrypted');
    if (key === 'corrupt' && value === true) refuse('it is marked as corrupt');
  }
  const bytes = report['virtual-size'];
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes <= 0) return refuse('it has no size');
  return bytes;
}

function* everyEntry(value: unknown): Generator<readonly [string, unknown]> {
  if (typeof value !== 'object' || value === null) return;
  for (const entry of Object.entries(value)) {
    yield entry;
    yield* everyEntry(entry[1]);
  }
}

async function readHeader(path: string): Promise<Buffer> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw errno(error) === undefined ? error : new ImageCopyFailure('The image could not be read.', { cause: error });
  }
}
