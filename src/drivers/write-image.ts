/**
 * Volumes written as disk images, by `qemu-img`, which is told every format and guesses none.
 *
 * A format with tables cannot go into a pipe, so it becomes a file. How large is not known before: of qcow2 `qemu-img measure`
 * tells it, of vmdk and vdi nobody. So the data is counted, with a little for tables, and what does not fit is refused before a byte
 * is written.
 */
import { rm, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CommandFailed, type Exec } from '../lib/exec.ts';
import type { DataExtent } from '../lib/file-content.ts';
import { ImageCopyFailure, ImageTooBig } from '../model/errors.ts';
import type { DriverCall, RawSource, WrittenImage } from './driver.ts';
import { type ConversionLimits, parseProgress } from './qemu-img.ts';

/** Of what an image takes, above its data: 2 % of it, and what an empty one has. */
const TABLES = 0.02;
const EMPTY_BYTES = 8 * 1024 ** 2;

/** Where a raw file has data, in order; undefined of one in more pieces than can be told. */
export async function dataExtents(
  exec: Exec,
  path: string,
  signal: AbortSignal,
): Promise<readonly DataExtent[] | undefined> {
  try {
    return parseMap(await exec(mapArgv(resolve(path)), { signal }));
  } catch (error) {
    if (error instanceof CommandFailed && isTooLong(error)) return undefined;
    throw error;
  }
}

/** As `exec` words it. */
const isTooLong = ({ stderr }: CommandFailed): boolean => stderr.startsWith('It printed more than');

/** Rejects with `ImageTooBig` or `ImageCopyFailure`; nothing is left then. */
export async function writeImage(
  exec: Exec,
  source: RawSource,
  { path, format }: WrittenImage,
  limits: ConversionLimits,
  call: DriverCall,
): Promise<void> {
  const extents = (await dataExtents(exec, source.path, call.signal)) ?? [{ at: 0, bytes: source.bytes }];
  const data = extents.reduce((sum, { bytes }) => sum + bytes, 0);
  const { bavail, bsize } = await statfs(dirname(path));
  const needed = Math.ceil(data * (1 + TABLES)) + EMPTY_BYTES;
  if (needed > bavail * bsize)
    throw new ImageTooBig(`The image needs ${needed} bytes where images are converted; there is less.`);
  const onOutput = (text: string): void => {
    const fraction = parseProgress(text);
    if (fraction !== null) call.progress(fraction);
  };
  try {
    await rm(path, { force: true });
    await exec(writeArgv(resolve(source.path), format, resolve(path)), { ...limits, signal: call.signal, onOutput });
    // Whoever sends it later compares what arrives with what is read, and that may be nothing after a power cut.
    await exec(['sync', '--', resolve(path)], { signal: call.signal, timeoutMs: limits.timeoutMs });
  } catch (error) {
    await rm(path, { force: true });
    if (!(error instanceof CommandFailed)) throw error;
    if (/No space left on device|Disk quota/.test(error.stderr))
      throw new ImageTooBig('There is no room left where images are converted.', { cause: error });
    throw new ImageCopyFailure(`The volume could not be written as ${format}.`, { cause: error });
  }
}

type Argv = readonly [string, ...string[]];

export const mapArgv = (path: string): Argv => ['qemu-img', 'map', '--output=json', '-f', 'raw', '--', path];

export const writeArgv = (source: string, format: WrittenImage['format'], target: string): Argv => [
  'qemu-img',
  'convert',
  '-p',
  '-f',
  'raw',
  '-O',
  format,
  '--',
  source,
  target,
];

/** Throws for what is no map: data that is not told of would be sent as zeroes. */
export function parseMap(output: string): readonly DataExtent[] {
  const parts: unknown = JSON.parse(output);
  if (!Array.isArray(parts)) throw new TypeError('The map of a file is no list.');
  let end = 0;
  const extents: DataExtent[] = [];
  for (const { start, length, data } of parts as readonly Readonly<Record<string, unknown>>[]) {
    if (start !== end || typeof length !== 'number' || typeof data !== 'boolean')
      throw new TypeError('The map of a file has a gap, or lacks a part.');
    if (data) extents.push({ at: start, bytes: length });
    end = start + length;
  }
  return extents;
}
