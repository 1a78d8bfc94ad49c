/** What backups are measured beside, of the same disks: restic, borg, the driver of a real Cinder, and the bare work. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BYTES, type Disks, MIB } from './backup-disks.ts';

/** As `bin/pumice` says it. */
export const NODE_COMPILE_CACHE = join(import.meta.dirname, '../node_modules/.cache/pumice');
const BARE = join(import.meta.dirname, 'bare-backup.ts');
const CINDER = join(import.meta.dirname, 'cinder-backup.py');
/** Where it finds how a chain is made. */
const CHAIN = join(import.meta.dirname, '../test/backups/cinder');
/** The one that comes with Debian's packages. */
const PYTHON = '/usr/bin/python3';

/** CPU seconds, and MiB. */
export interface Costs {
  readonly full: number;
  readonly big: number;
  readonly smallMib: number;
  readonly restore: number;
  readonly restoredMib: number;
}

/** Of the work without which there is no backup, no increment by digests and no restore. */
export interface BareCosts extends Pick<Costs, 'full' | 'restore'> {
  readonly digests: number;
}

export async function resticCosts(directory: string, disks: Disks): Promise<Costs> {
  const env = { RESTIC_PASSWORD: 'bench', RESTIC_REPOSITORY: join(directory, 'restic') };
  const restic = (...args: readonly string[]): string => program(env, directory, 'restic', '--no-cache', ...args);
  restic('init');
  const full = await cpuOf(() => restic('backup', disks.full));
  const big = await cpuOf(() => restic('backup', disks.big));
  const before = sizeMib(env.RESTIC_REPOSITORY);
  restic('backup', disks.small);
  const smallMib = sizeMib(env.RESTIC_REPOSITORY) - before;
  const target = join(directory, 'restored');
  const restore = await cpuOf(() => {
    restic('restore', 'latest', '--target', target);
    onDisk(join(target, disks.small));
  });
  execFileSync('cmp', [join(target, disks.small), disks.small]);
  return { full, big, smallMib, restore, restoredMib: takenMib(join(target, disks.small)) };
}

export async function borgCosts(directory: string, disks: Disks): Promise<Costs> {
  const repository = join(directory, 'borg');
  const env = { BORG_BASE_DIR: directory, BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes' };
  const borg = (...args: readonly string[]): string => program(env, directory, 'borg', ...args);
  const how = ['--compression', 'zstd,1', '--chunker-params', 'fixed,1048576', '--sparse'];
  const create = (name: string, disk: string): string => borg('create', ...how, `${repository}::${name}`, disk);
  borg('init', '-e', 'none', repository);
  const full = await cpuOf(() => create('full', disks.full));
  const big = await cpuOf(() => create('big', disks.big));
  const before = sizeMib(repository);
  create('small', disks.small);
  const smallMib = sizeMib(repository) - before;
  const target = join(directory, disks.small);
  const restore = await cpuOf(() => {
    borg('extract', '--sparse', `${repository}::small`);
    onDisk(target);
  });
  execFileSync('cmp', [target, disks.small]);
  return { full, big, smallMib, restore, restoredMib: takenMib(target) };
}

export async function bareCosts(directory: string, disks: Disks): Promise<BareCosts> {
  const target = join(directory, 'restored');
  const bare = (work: string, file: string): unknown =>
    program({ NODE_COMPILE_CACHE }, directory, process.execPath, BARE, work, directory, file, String(BYTES));
  const full = await cpuOf(() => bare('copy', disks.full));
  const restore = await cpuOf(() => bare('restore', target));
  execFileSync('cmp', [target, disks.full]);
  const digests = await cpuOf(() => bare('digests', disks.big));
  return { full, digests, restore };
}

/** Why there is none; null when there is. */
export function noCinder(): string | null {
  const { status } = spawnSync(PYTHON, ['-c', 'import cinder.backup.drivers.posix']);
  return status === 0 ? null : 'no Cinder is installed (apt-get install python3-cinder)';
}

export function cinderCosts(directory: string, disks: Disks): Costs {
  const told = program({ PYTHONPATH: CHAIN }, directory, PYTHON, CINDER, directory, disks.full, disks.big, disks.small);
  const target = join(directory, 'restored');
  execFileSync('cmp', [target, disks.small]);
  return { ...JSON.parse(told), restoredMib: takenMib(target) };
}

function onDisk(path: string): void {
  execFileSync('sync', ['--data', path]);
}

function program(env: Readonly<Record<string, string>>, cwd: string, name: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(name, args, { cwd, env: { ...process.env, ...env }, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name} ${args[0]} ended with ${status}: ${stderr}`);
  return stdout;
}

/** CPU seconds, of this process and of those that it has started and that have ended. */
export async function cpuOf(work: () => unknown): Promise<number> {
  const before = cpuSeconds();
  await work();
  return cpuSeconds() - before;
}

const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

function cpuSeconds(): number {
  const text = readFileSync('/proc/self/stat', 'utf8');
  // utime, stime, cutime, cstime: behind the name, which may hold blanks.
  const ticks = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number);
  return ticks.reduce((sum, each) => sum + each, 0) / TICKS;
}

export const takenMib = (path: string): number => (statSync(path).blocks * 512) / MIB;
const sizeMib = (path: string): number =>
  Number(execFileSync('du', ['-sk', '--apparent-size', path], { encoding: 'utf8' }).split('\t')[0]) / 1024;
