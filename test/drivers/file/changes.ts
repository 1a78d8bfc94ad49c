/** Changes of a file that lies on a file system which shares blocks: what a guest does to its disk, and what an operator's tools do to it. */
import { execFileSync } from 'node:child_process';
import { open } from 'node:fs/promises';

const KIB = 1024;

/** The same numbers each time. */
export function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}

/** One change within the first `bytes` of the file: written, discarded, zeroed, allocated, or shared with another place of it. */
export async function changeAtRandom(path: string, bytes: number, number: (below: number) => number): Promise<void> {
  const length = (1 + number(64)) * 4 * KIB;
  const anywhere = (): number => number((bytes - length) / 4 / KIB) * 4 * KIB;
  const [offset, other] = [anywhere(), anywhere()];
  const place = ['-o', String(offset), '-l', String(length), path];
  const run = (program: string, ...args: readonly string[]) => execFileSync(program, args, { stdio: 'ignore' });
  const ways = [
    () => run('fallocate', '-p', ...place),
    () => run('fallocate', '-z', ...place),
    () => run('fallocate', ...place),
    () => run('xfs_io', '-c', `mmap 0 ${bytes}`, '-c', `mwrite -S ${1 + number(255)} ${offset} ${length}`, path),
    () => run('xfs_io', '-d', '-c', `pwrite -q -S ${1 + number(255)} ${offset} ${length}`, path),
    () =>
      Math.abs(offset - other) >= length && run('xfs_io', '-c', `reflink ${path} ${other} ${offset} ${length}`, path),
  ];
  const way = ways[number(2 * ways.length)];
  if (way !== undefined) return void way();
  const file = await open(path, 'r+');
  await file.write(Buffer.alloc(length - number(4095), 1 + number(255)), 0, undefined, offset);
  await file.close();
}
