/**
 * Changed block tracking of files, after the fact: where one may hold something else than an earlier one with which it shares blocks,
 * found out without reading them (how is told in `differences.pl`). Both are there, and nobody writes to either.
 *
 * Asked where it was tried. Another file system may share blocks as well, and give places that mean something only on one of its disks.
 */
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { MIB } from '../../lib/bytes.ts';
import { CommandMissing, type Exec, printedTooMuch } from '../../lib/exec.ts';
import type { DataExtent } from '../../lib/file-content.ts';

const DIFFERENCES = join(import.meta.dirname, 'differences.pl');
/** statfs(2): XFS, Btrfs. */
const TRIED: ReadonlySet<number> = new Set([0x58465342, 0x9123683e]);

/** In order, in whole MiB; null where it cannot be told. */
export async function differences(
  exec: Exec,
  before: string,
  later: string,
  signal: AbortSignal,
): Promise<readonly DataExtent[] | null> {
  if (!TRIED.has((await statfs(later)).type)) return null;
  try {
    const told = await exec(['perl', DIFFERENCES, before, later], { signal });
    return told === 'unknown\n' ? null : parseDifferences(told);
  } catch (error) {
    if (printedTooMuch(error) || error instanceof CommandMissing) return null;
    throw error;
  }
}

/** Throws for what is no list of differences: what it does not tell would be taken for the same. */
export function parseDifferences(told: string): readonly DataExtent[] {
  if (told !== '' && !told.endsWith('\n')) throw new TypeError('The list of differences has no end.');
  return told.split('\n').slice(0, -1).map(toRange);
}

function toRange(line: string): DataExtent {
  const [, first, count] = /^(\d+) (\d+)$/.exec(line) ?? [];
  if (first === undefined || count === undefined) throw new TypeError(`${line} is no range of MiB.`);
  return { at: Number(first) * MIB, bytes: Number(count) * MIB };
}
