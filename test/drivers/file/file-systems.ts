/**
 * Real file systems for tests: one in an image file, mounted through a loop device, removed when the tests are over.
 *
 * Where this cannot be done (not root, no loop devices, no mkfs, no such file system in the kernel) `cannotMount` says
 * why, and the test prints it as the reason of its skip. A mount also goes away when the test process ends early.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Kind = 'xfs' | 'btrfs' | 'ext4';

const MKFS: Record<Kind, readonly [string, ...string[]]> = {
  xfs: ['mkfs.xfs', '-q', '-f', '-m', 'reflink=1'],
  btrfs: ['mkfs.btrfs', '-q', '-f'],
  ext4: ['mkfs.ext4', '-q', '-F', '-m', '0'],
};

// A flush of the image to the real disk protects from what ends this test as well, and costs a third of its time. Btrfs trims what
// has been empty for ten seconds, and meanwhile holds 32 MiB back (seen with 6.18), which a full disk then has after all.
const OPTIONS: Record<Kind, string> = {
  xfs: 'noatime',
  btrfs: 'noatime,nobarrier,nodiscard',
  ext4: 'noatime,barrier=0',
};

export interface FileSystem {
  /** Where it is mounted. */
  readonly path: string;
  /** Takes the power away and mounts again: what was not synced is lost. XFS and ext4. */
  cutPower(): void;
  remount(options: string): void;
  /** What lies under the mount point while this is unmounted. */
  unmounted<Result>(body: () => Promise<Result>): Promise<Result>;
  remove(): void;
}

export const missing = (...programs: readonly string[]): string | null => {
  const absent = programs.filter((program) => !installed(program));
  return absent.length > 0 ? `${absent.join(' and ')} not installed` : null;
};

/** Null when `mountFileSystem` will work. */
export function cannotMount(kind: Kind): string | null {
  if (process.getuid?.() !== 0) return 'mounting wants root';
  const absent = missing(MKFS[kind][0], 'mount', ...(kind === 'btrfs' ? [] : ['xfs_io']));
  if (absent !== null) return absent;
  if (!readFileSync('/proc/filesystems', 'utf8').includes(`\t${kind}\n`)) return `the kernel has no ${kind} loaded`;
  try {
    accessSync('/dev/loop-control');
    mountFileSystem(kind, 300).remove();
    return null;
  } catch (error) {
    return `a ${kind} cannot be mounted: ${error instanceof Error ? error.message : String(error)}`;
  }
}

export function mountFileSystem(kind: Kind, sizeMiB: number): FileSystem {
  const directory = mkdtempSync(join(tmpdir(), `pumice-${kind}-`));
  const image = join(directory, 'image');
  const path = mkdtempSync(join(directory, 'mnt-'));
  writeFileSync(image, '');
  truncateSync(image, sizeMiB * 1024 ** 2);
  const mount = (): void => run('mount', '-o', `loop,${OPTIONS[kind]}`, image, path);
  const remove = (): void => {
    process.removeListener('exit', remove);
    if (isMounted(path)) run('umount', path);
    rmSync(directory, { recursive: true });
  };
  process.once('exit', remove);
  run(...MKFS[kind], image);
  mount();
  return {
    path,
    cutPower: () => {
      run('xfs_io', '-x', '-c', 'shutdown', path);
      run('umount', path);
      mount();
    },
    remount: (options) => run('mount', '-o', `remount,${options}`, path),
    unmounted: async (body) => {
      run('umount', path);
      try {
        return await body();
      } finally {
        mount();
      }
    },
    remove,
  };
}

function isMounted(path: string): boolean {
  return statSync(path).dev !== statSync(join(path, '..')).dev;
}

function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 60_000, killSignal: 'SIGKILL' });
}

function installed(program: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$0"', program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
