/**
 * Volumes written as disk images, by `qemu-img`, which is told every format and guesses none.
 *
 * A format with tables cannot go into a pipe, so it becomes a file. How large is not known before: of qcow2 `qemu-img measure`
 * tells it, of vmdk and vdi nobody. So the data is counted, with a little for tables, and what does not fit is refused before a byte
 * is written.
 */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { dataExtents } from '../lib/data-extents.ts';
import { CommandFailed, type Exec } from '../lib/exec.ts';
import type { DataExtent } from '../lib/file-content.ts';
import { BackendFull, ImageCopyFailure, ImageTooBig } from '../model/errors.ts';
import type { DriverCall, RawSource, WrittenImage } from './driver.ts';
import type { HostCopies } from './host-copies.ts';
import { atRate, type ConversionLimits, progressOf, withinMs } from './qemu-img.ts';

/** Of what an image takes, above its data: 2 % of it, and what an empty one has. */
const TABLES = 0.02;
const EMPTY_BYTES = 8 * 1024 ** 2;

/** `extents`: where it has data, of a device that does not say so. Rejects with `ImageTooBig` or `ImageCopyFailure`; nothing is left then. */
export async function writeImage(
  exec: Exec,
  source: RawSource & { readonly extents?: readonly DataExtent[] | undefined },
  { path, format }: WrittenImage,
  { limits, copies }: { readonly limits: ConversionLimits; readonly copies: HostCopies },
  call: DriverCall,
): Promise<void> {
  const told = source.extents ?? (await dataExtents(exec, source.path, call.signal));
  const extents = told ?? [{ at: 0, bytes: source.bytes }];
  const data = extents.reduce((sum, { bytes }) => sum + bytes, 0);
  const needs = (): number => Math.ceil(data * (1 + TABLES)) + EMPTY_BYTES;
  try {
    await rm(path, { force: true });
    await copies.run({ path: resolve(path), needs }, call, async (bytesPerSecond) => {
      const timeoutMs = withinMs(limits.timeoutMs, { bytesPerSecond, bytes: source.bytes });
      const argv = writeArgv(resolve(source.path), format, resolve(path), bytesPerSecond);
      await exec(argv, { ...limits, timeoutMs, signal: call.signal, onOutput: progressOf(data, call) });
    });
    // Whoever sends it later compares what arrives with what is read, and that may be nothing after a power cut.
    await exec(['sync', '--', resolve(path)], { signal: call.signal, timeoutMs: limits.timeoutMs });
  } catch (error) {
    await rm(path, { force: true });
    if (error instanceof BackendFull)
      throw new ImageTooBig(`There is no room where images are converted: ${error.message}`, { cause: error });
    if (!(error instanceof CommandFailed)) throw error;
    if (/No space left on device|Disk quota/.test(error.stderr))
      throw new ImageTooBig('There is no room left where images are converted.', { cause: error });
    throw new ImageCopyFailure(`The volume could not be written as ${format}.`, { cause: error });
  }
}

type Argv = readonly [string, ...string[]];

/** `bytesPerSecond`: 0 is no limit. */
export const writeArgv = (
  source: string,
  format: WrittenImage['format'],
  target: string,
  bytesPerSecond: number,
): Argv => ['qemu-img', 'convert', '-p', ...atRate(bytesPerSecond), '-f', 'raw', '-O', format, '--', source, target];
