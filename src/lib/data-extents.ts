/** Where a file has data, told by `qemu-img map`: what nobody has written is not read. */
import { resolve } from 'node:path';
import { type Exec, printedTooMuch } from './exec.ts';
import type { DataExtent } from './file-content.ts';

/** Where a raw file has data, in order; undefined of one in more pieces than can be told. */
export async function dataExtents(
  exec: Exec,
  path: string,
  signal: AbortSignal,
): Promise<readonly DataExtent[] | undefined> {
  try {
    return parseMap(await exec(mapArgv(resolve(path)), { signal }));
  } catch (error) {
    if (printedTooMuch(error)) return undefined;
    throw error;
  }
}

const mapArgv = (path: string) => ['qemu-img', 'map', '--output=json', '-f', 'raw', '--', path] as const;

/** Throws for what is no map: data that is not told of would be taken for zeroes. */
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
