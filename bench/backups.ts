/**
 * Backups beside restic and borg, of the same bytes, each on one core and its first backup into a store of its own: the CPU of a full backup, of
 * increments, of a restore, and of what is left to do after a kill; what many small changes take; what a restored file takes. And beside the driver
 * of a real Cinder, which is asked once in all, since it takes a minute.
 *
 * CPU is that of the programs and of this process, which writes the manifests. Our children begin as a service's do, with what they load
 * compiled before. borg takes pieces of fixed size, as is right for disks, and none of the peers can be told what has changed. What was restored is on
 * the disk in the end, whoever has restored it. How far ours could go at all is said by the bare work (`bare-backup.ts`).
 */
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { BackupPlace, Bite } from '../src/backups/backups.ts';
import { makeBackups } from '../src/backups/make-backups.ts';
import { differences } from '../src/drivers/file/differences.ts';
import { exec } from '../src/lib/exec.ts';
import { cannotMount, missing, mountFileSystem } from '../test/drivers/file/file-systems.ts';
import { BIG, BYTES, type Disks, MIB, PIECES_MIB, SMALL, writeDisks } from './backup-disks.ts';
import {
  type BareCosts,
  bareCosts,
  borgCosts,
  type Costs,
  cinderCosts,
  cpuOf,
  NODE_COMPILE_CACHE,
  noCinder,
  resticCosts,
  takenMib,
} from './backup-peers.ts';
import type { Part } from './part.ts';
import { quantity, type Result, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import type { World } from './world.ts';

const ROOM_MIB = 8 * 1024;
const KILLED_AT = 0.7;
const CORE = '0';
const TIB = 1024 ** 4;
const ROOT = join(import.meta.dirname, '..');
const MEASURED_CHILD = join(ROOT, 'test/backups/measured-child.ts');

interface OurCosts extends Costs {
  /** Of `big`, where nothing is told of it. */
  readonly digests: number;
  /** After a kill, beside the whole. */
  readonly rest: number;
  /** Of a copy that finds all done: what starting, looking and ending cost each. */
  readonly nothing: number;
  /** Of a backup of 1 TiB with the same data, of which nothing has changed. */
  readonly unchangedSeconds: number;
  readonly peakMib: number;
}

export const backups: Part = {
  limit: 'Reading, hashing and compressing each byte that has changed: the bare work, which is measured beside.',
  measure: measureBackups,
};

async function measureBackups(world: World): Promise<Result[]> {
  const figure = 'backups';
  const cannot = cannotMount('xfs') ?? missing('restic', 'borg', 'taskset');
  if (cannot !== null) return [{ figure, skipped: cannot }];
  const { path: mounted, remove } = mountFileSystem('xfs', ROOM_MIB);
  const affinity = allowed();
  execFileSync('taskset', ['-acp', CORE, String(process.pid)]);
  try {
    const disks = writeDisks(mounted);
    const dataMib = takenMib(disks.small);
    const inEmpty =
      <C>(measure: (directory: string, disks: Disks) => C | Promise<C>) =>
      async (): Promise<C> => {
        const directory = join(mounted, `store-${world.next()}`);
        mkdirSync(directory);
        try {
          return await measure(directory, disks);
        } finally {
          rmSync(directory, { recursive: true });
        }
      };
    // What children load is compiled for all that come.
    await inEmpty(ourCosts)();
    const of = await rounds(
      world.rounds,
      { ours: inEmpty(ourCosts), restic: inEmpty(resticCosts), borg: inEmpty(borgCosts), bare: inEmpty(bareCosts) },
      world.tell,
    );
    world.tell('Cinder');
    const cinder = noCinder() ?? (await inEmpty(cinderCosts)());
    const ours = (key: keyof OurCosts): number[] => of.ours.map((each) => each[key]);
    const beside = (what: string, key: keyof OurCosts, like: keyof Costs, most: readonly [number, number]): Result[] =>
      (['restic', 'borg'] as const).map((peer, index) => {
        const theirs = of[peer].map((each) => each[like]);
        const unit = like.endsWith('Mib') ? 'MiB' : 'CPU s';
        return {
          figure: `${what}, beside ${peer}`,
          measured: quantity(ours(key), unit),
          beside: { what: peer, quantity: quantity(theirs, unit) },
          ratio: ratios(ours(key), theirs),
          wanted: { of: 'ratio', atMost: most[index] ?? 1 },
        };
      });
    const besideBare = (what: string, key: keyof BareCosts): Result => {
      const theirs = of.bare.map((each) => each[key]);
      return {
        figure: `${what}, beside its bare work`,
        measured: quantity(ours(key), 'CPU s'),
        beside: { what: 'bare', quantity: quantity(theirs, 'CPU s') },
        ratio: ratios(ours(key), theirs),
      };
    };
    /** Whether any of ours could keep what is wanted. */
    const bareBeside = (what: string, key: keyof BareCosts, peer: string, theirs: readonly number[]): Result => {
      const bare = of.bare.map((each) => each[key]);
      return {
        figure: `${what}: the bare work, beside ${peer}`,
        measured: quantity(bare, 'CPU s'),
        beside: { what: peer, quantity: quantity(theirs, 'CPU s') },
        ratio: ratios(bare, theirs),
      };
    };
    const borg = (key: 'full' | 'restore'): number[] => of.borg.map((each) => each[key]);
    const besideCinder = (what: string, key: keyof OurCosts, like: keyof Costs, most: number): Result => {
      const named = `${what}, beside Cinder’s driver`;
      if (typeof cinder === 'string') return { figure: named, skipped: cinder };
      const theirs = ours(key).map(() => cinder[like]);
      const unit = like.endsWith('Mib') ? 'MiB' : 'CPU s';
      return {
        figure: named,
        measured: quantity(ours(key), unit),
        beside: { what: 'Cinder', quantity: quantity([cinder[like]], unit) },
        ratio: ratios(ours(key), theirs),
        wanted: { of: 'ratio', atMost: most },
      };
    };
    return [
      ...beside('full backup of 512 MiB data', 'full', 'full', [1 / 2.5, 1.1]),
      besideBare('full backup of 512 MiB data', 'full'),
      bareBeside('full backup of 512 MiB data', 'full', 'borg', borg('full')),
      besideCinder('full backup of 512 MiB data', 'full', 'full', 1 / 9),
      ...beside(`increment, ${BIG} × 1 MiB changed, base kept`, 'big', 'big', [1 / 4.5, 1 / 2]),
      besideCinder(`increment, ${BIG} × 1 MiB changed, base kept`, 'big', 'big', 1 / 12),
      ...beside('the same by digests', 'digests', 'big', [1 / 2.5, 1]),
      besideCinder('the same by digests', 'digests', 'big', 1 / 7),
      besideBare('the same by digests', 'digests'),
      ...(typeof cinder === 'string'
        ? []
        : [
            bareBeside(
              'the same by digests',
              'digests',
              'Cinder’s driver',
              of.bare.map(() => cinder.big),
            ),
          ]),
      ...beside(`increment, ${SMALL} × 4 KiB changed: space`, 'smallMib', 'smallMib', [1 / 15, 1 / 15]),
      besideCinder(`increment, ${SMALL} × 4 KiB changed: space`, 'smallMib', 'smallMib', 1 / 4),
      ...beside('restore of the newest', 'restore', 'restore', [1 / 1.6, 1 / 1.25]),
      besideBare('restore of the newest', 'restore'),
      bareBeside('restore of the newest', 'restore', 'borg', borg('restore')),
      besideCinder('restore of the newest', 'restore', 'restore', 1 / 7),
      {
        figure: 'killed at 70 %: the rest, of a whole one',
        measured: quantity(ours('rest'), '×'),
        wanted: { of: 'measured', atMost: 0.4 },
      },
      {
        figure: 'a copy that has nothing left to do, of a whole one',
        measured: quantity(ours('nothing'), 'CPU s'),
        beside: { what: 'a whole one', quantity: quantity(ours('full'), 'CPU s') },
        ratio: ratios(ours('nothing'), ours('full')),
      },
      {
        figure: 'nothing changed in 1 TiB, base kept',
        measured: quantity(ours('unchangedSeconds'), 's'),
        wanted: { of: 'measured', atMost: 3 },
      },
      {
        figure: 'restored file, beside the data of its source',
        measured: quantity(ours('restoredMib'), 'MiB'),
        beside: { what: 'source', quantity: quantity([dataMib], 'MiB') },
        ratio: ours('restoredMib').map((mib) => mib / dataMib),
        wanted: { of: 'ratio', atMost: 1.02 },
      },
      {
        figure: 'peak memory of a copy or a restore',
        measured: quantity(ours('peakMib'), 'MiB'),
        wanted: { of: 'measured', atMost: 160 },
      },
    ];
  } finally {
    execFileSync('taskset', ['-acp', affinity, String(process.pid)]);
    remove();
  }
}

async function ourCosts(directory: string, disks: Disks): Promise<OurCosts> {
  const PEAKS = join(directory, 'peaks');
  const ground = makeBackups({
    child: MEASURED_CHILD,
    exec: (argv, options) =>
      exec(argv, { ...options, environment: { ...options.environment, NODE_COMPILE_CACHE, PEAKS } }),
  });
  const { signal } = new AbortController();
  const place = (backupId: string, scope = 'one'): BackupPlace => ({
    store: { kind: 'directory', path: directory },
    scope,
    keys: [],
    backupId,
  });
  const file = (path: string, bytes = BYTES) => ({ uri: `file:${path}`, bytes });
  const quiet = { signal, progress: () => {}, waiting: () => {} };
  /** Until so much of it is safe. */
  async function copied(
    where: BackupPlace,
    source: string,
    {
      parentId = null as string | null,
      base = null as string | null,
      bites = [] as Bite[],
      until = 1,
      bytes = BYTES,
    } = {},
  ): Promise<number> {
    const told = base === null ? null : await differences(exec, base, source, signal);
    const killed = new AbortController();
    const attempt = bites.length === 0 ? 1 : 2;
    const order = { place: where, attempt, source: file(source, bytes), parentId, patienceMs: 0 };
    const watch = {
      ...quiet,
      signal: killed.signal,
      bite: (bite: Bite) => {
        bites.push(bite);
        if (until < 1 && (bite.first + bite.chunks) * MIB >= until * 2 * PIECES_MIB * MIB) killed.abort();
      },
    };
    const from = { changed: told, base: base === null ? null : file(base, bytes), bites: [...bites] };
    const outcome = await ground.copy({ ...order, ...from }, watch).catch((error: unknown) => {
      if (!killed.signal.aborted) throw error;
    });
    if (outcome === undefined) return 0;
    const written = { bytes, bites, createdAt: '2026-01-01T00:00:00.000000', metadata: {} } as const;
    await ground.writeManifest({ place: where, parentId, ...written }, signal);
    return outcome.storedBytes / MIB;
  }
  for (const scope of ['one', 'killed', 'large']) await ground.openScope(place('', scope), null, signal);
  const full = await cpuOf(() => copied(place('full'), disks.full));
  const big = await cpuOf(() => copied(place('big'), disks.big, { parentId: 'full', base: disks.full }));
  const digests = await cpuOf(() => copied(place('digests'), disks.big, { parentId: 'full' }));
  const smallMib = await copied(place('small'), disks.small, { parentId: 'big', base: disks.big });
  const target = emptyDisk(directory);
  const restored = { ...file(target), isEmpty: true };
  const restore = await cpuOf(() =>
    ground.restore(
      { place: place('small'), target: restored, doneBytes: 0, patienceMs: 0 },
      { ...quiet, done: () => {} },
    ),
  );
  execFileSync('cmp', [target, disks.small]);
  const restoredMib = takenMib(target);
  const bites: Bite[] = [];
  await copied(place('killed', 'killed'), disks.full, { bites, until: KILLED_AT });
  const rest = await cpuOf(() => copied(place('killed', 'killed'), disks.full, { bites }));
  const nothing = await cpuOf(() => copied(place('killed', 'killed'), disks.full, { bites }));
  const large = join(directory, 'large');
  execFileSync('cp', ['--reflink=always', disks.full, large]);
  truncateSync(large, TIB);
  const bytes = TIB;
  await copied(place('first', 'large'), large, { bytes });
  const later = join(directory, 'later');
  execFileSync('cp', ['--reflink=always', large, later]);
  const began = performance.now();
  await copied(place('later', 'large'), later, { bytes, parentId: 'first', base: large });
  const unchangedSeconds = (performance.now() - began) / 1000;
  const peaks = readFileSync(PEAKS, 'utf8').trim().split('\n').map(Number);
  const peakMib = Math.max(...peaks) / 1024;
  const rested = { rest: rest / full, nothing };
  return { full, big, digests, smallMib, restore, restoredMib, ...rested, unchangedSeconds, peakMib };
}

function emptyDisk(directory: string): string {
  const path = join(directory, 'restored');
  const file = openSync(path, 'wx');
  ftruncateSync(file, BYTES);
  closeSync(file);
  return path;
}

const allowed = (): string =>
  execFileSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' })
    .trim()
    .split(' ')
    .at(-1) as string;
