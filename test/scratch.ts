/** Where tests put databases: in memory where there is room, since they sync often and are thrown away; else on disk. */
import { statfsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
const ROOM_BYTES = 2 * 1024 ** 3;

export function scratchDirectory(): string {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize > ROOM_BYTES ? MEMORY : tmpdir();
  } catch {
    return tmpdir();
  }
}

/** Directories whose name tells, as the pattern's group, the id of a process that has died. */
export async function abandoned(pattern: RegExp, directory = scratchDirectory()): Promise<string[]> {
  const names = await readdir(directory);
  const orphans = names.filter((name) => {
    const owner = pattern.exec(name)?.[1];
    return owner !== undefined && !isAlive(Number(owner));
  });
  return orphans.map((name) => join(directory, name));
}

export async function removeAbandoned(pattern: RegExp, within = scratchDirectory()): Promise<void> {
  for (const directory of await abandoned(pattern, within)) await rm(directory, { recursive: true, force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
