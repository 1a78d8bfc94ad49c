/**
 * A copy of a volume's data, at no rate, beside `cp --sparse=always` of the same bytes: how quick it is, what the copy takes, and what
 * of it stays in the page cache, where it would push out what guests read. Each on a file system of its own, synced, and read
 * from the disk.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { FileDriver } from '../src/drivers/file/file-driver.ts';
import { uuid } from '../src/lib/clock.ts';
import { exec } from '../src/lib/exec.ts';
import { calm } from '../test/drivers/driver-world.ts';
import { cannotMount, mountFileSystem } from '../test/drivers/file/file-systems.ts';
import type { Part } from './part.ts';
import { quantity, type Result, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import type { World } from './world.ts';

const MIB = 1024 ** 2;
const SIZE_GIB = 2;
/** Pieces of 1 MiB, with as much nothing after each; one in eight is written as zeroes. */
const PIECES = 512;
const ROOM_MIB = 4 * 1024;

interface Copied {
  readonly mibPerSecond: number;
  readonly takesMib: number;
  readonly cachedMib: number;
}

export const copies: Part = {
  limit: 'The disk, which has to read and to write every byte of data; `cp` copies them through the page cache.',
  measure: measureCopies,
};

async function measureCopies(world: World): Promise<Result[]> {
  return [...(await copiesOn('xfs', world)), ...(await copiesOn('ext4', world))];
}

async function copiesOn(kind: 'xfs' | 'ext4', world: World): Promise<Result[]> {
  const figure = `copy of a sparse volume at no rate, ${kind}`;
  const cannot = cannotMount(kind);
  if (cannot !== null) return [{ figure, skipped: cannot }];
  const { path: mounted, remove } = mountFileSystem(kind, ROOM_MIB);
  try {
    const source = join(mounted, 'source');
    const dataMib = writeSource(source, Math.ceil(PIECES / world.haste));
    const driver = new FileDriver({ name: kind, directory: join(mounted, 'pool'), exec, create: true });
    await driver.start(calm().signal);
    const volume = { id: uuid(), sizeGiB: SIZE_GIB };
    const whole = { path: source, bytes: SIZE_GIB * 1024 * MIB };
    const { ours, cp } = await rounds(
      world.rounds,
      {
        ours: () =>
          measured(dataMib, source, driver.localPath(volume), async () => {
            await driver.receiveVolume(volume, whole, { copies: true }, calm());
          }),
        cp: () =>
          measured(dataMib, source, join(mounted, 'copy'), async (target) => {
            run('cp', '--reflink=never', '--sparse=always', source, target);
            run('sync', target);
          }),
      },
      world.tell,
    );
    const of = (copied: readonly Copied[], key: keyof Copied): number[] => copied.map((each) => each[key]);
    const beside = (key: keyof Copied, unit: string) => ({
      measured: quantity(of(ours, key), unit),
      beside: { what: 'cp --sparse=always', quantity: quantity(of(cp, key), unit) },
    });
    const [quick, slow] = [of(ours, 'mibPerSecond'), of(cp, 'mibPerSecond')];
    const most = dataMib * 1.01;
    return [
      { figure, ...beside('mibPerSecond', 'MiB/s'), ratio: ratios(quick, slow), wanted: { of: 'ratio', atLeast: 1.3 } },
      {
        figure: `what it takes of ${dataMib} MiB data, ${kind}`,
        ...beside('takesMib', 'MiB'),
        wanted: { of: 'measured', atMost: most },
      },
      {
        figure: `what of both stays in the page cache, ${kind}`,
        ...beside('cachedMib', 'MiB'),
        wanted: { of: 'measured', atMost: 0 },
      },
    ];
  } finally {
    remove();
  }
}

/** MiB that are not zeroes. */
function writeSource(path: string, pieces: number): number {
  const file = openSync(path, 'wx');
  ftruncateSync(file, SIZE_GIB * 1024 * MIB);
  const [data, zeroes] = [randomBytes(MIB), Buffer.alloc(MIB)];
  const isEmpty = (piece: number): boolean => piece % 8 === 7;
  for (let piece = 0; piece < pieces; piece += 1) {
    data.writeUInt32BE(piece);
    writeSync(file, isEmpty(piece) ? zeroes : data, 0, MIB, 2 * piece * MIB);
  }
  closeSync(file);
  return Array.from({ length: pieces }, (_, piece) => piece).filter((piece) => !isEmpty(piece)).length;
}

async function measured(
  dataMib: number,
  source: string,
  target: string,
  copy: (target: string) => Promise<void>,
): Promise<Copied> {
  evict(source);
  const begun = performance.now();
  await copy(target);
  const seconds = (performance.now() - begun) / 1000;
  const copied = {
    mibPerSecond: dataMib / seconds,
    takesMib: (statSync(target).blocks * 512) / MIB,
    cachedMib: cachedMib(source, target),
  };
  rmSync(target);
  return copied;
}

/** From the page cache, when it is on the disk. */
const evict = (path: string): string => run('dd', `of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0');

function cachedMib(...paths: readonly string[]): number {
  const told = run('fincore', '--bytes', '--noheadings', '--output', 'RES', ...paths);
  return told.split('\n').reduce((sum, line) => sum + Number(line), 0) / MIB;
}

function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
