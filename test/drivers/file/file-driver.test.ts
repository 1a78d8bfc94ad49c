/**
 * The file driver on the file systems it meets: with reflinks, and without; where none can be mounted, on whatever the machine's own is. What is cloned
 * in this process when it is small is cloned by a program when it is not.
 */
import { tmpdir } from 'node:os';
import { canReflink } from '../../../src/drivers/file/file-copy.ts';
import { proveDriver } from '../../prove-driver.ts';
import { OPERATIONS } from '../operations.ts';
import { cannotMount, type FileSystem, type Kind, missing, mountFileSystem } from './file-systems.ts';
import { fileWorld } from './file-world.ts';

const noPrograms = missing('qemu-img', 'prlimit', 'cp', 'sync', 'fallocate');
const CLONING = /^(snapshotting a volume|creating a larger volume from a snapshot|cloning a volume|reverting|keeping)/;

interface World {
  readonly sizeMiB: number;
  readonly copies: boolean;
  readonly exports?: boolean;
  readonly large?: boolean;
}

function proveOn(kind: Kind, { sizeMiB, copies, exports = false, large = false }: World): void {
  let mounted: FileSystem | undefined;
  proveDriver({
    name: `${large ? 'large ' : ''}files on ${kind}`,
    ...(large && { operations: OPERATIONS.filter(({ title }) => CLONING.test(title)) }),
    skip: noPrograms ?? cannotMount(kind),
    copies,
    exports,
    open: () => {
      mounted = mountFileSystem(kind, sizeMiB);
    },
    close: () => mounted?.remove(),
    world: (exec, around) => fileWorld(mounted?.path ?? '', exec, { fillable: true, held: true, large, around }),
  });
}

proveOn('xfs', { sizeMiB: 400, copies: false });
proveOn('xfs', { sizeMiB: 400, copies: false, large: true });
proveOn('btrfs', { sizeMiB: 300, copies: false });
proveOn('ext4', { sizeMiB: 200, copies: true, exports: true });

proveDriver({
  name: 'files in a plain directory',
  skip: noPrograms ?? (cannotMount('ext4') === null ? 'a file system of its own was proven instead' : null),
  copies: !(await canReflink(tmpdir())),
  exports: true,
  world: (exec, around) => fileWorld(tmpdir(), exec, { held: true, around }),
});
