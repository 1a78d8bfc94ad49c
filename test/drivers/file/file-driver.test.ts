/** The file driver on the file systems it meets: with reflinks, and without; where none can be mounted, on whatever the machine's own is. */
import { tmpdir } from 'node:os';
import { canReflink } from '../../../src/drivers/file/file-copy.ts';
import { proveDriver } from '../../prove-driver.ts';
import { cannotMount, type FileSystem, type Kind, missing, mountFileSystem } from './file-systems.ts';
import { fileWorld } from './file-world.ts';

const noPrograms = missing('qemu-img', 'prlimit', 'cp', 'sync');

interface World {
  readonly sizeMiB: number;
  readonly copies: boolean;
  readonly exports?: boolean;
}

function proveOn(kind: Kind, { sizeMiB, copies, exports = false }: World): void {
  let mounted: FileSystem | undefined;
  proveDriver({
    name: `files on ${kind}`,
    skip: noPrograms ?? cannotMount(kind),
    copies,
    exports,
    open: () => {
      mounted = mountFileSystem(kind, sizeMiB);
    },
    close: () => mounted?.remove(),
    world: (exec) => fileWorld(mounted?.path ?? '', exec, { fillable: true, held: true }),
  });
}

proveOn('xfs', { sizeMiB: 400, copies: false });
proveOn('btrfs', { sizeMiB: 300, copies: false });
proveOn('ext4', { sizeMiB: 200, copies: true, exports: true });

proveDriver({
  name: 'files in a plain directory',
  skip: noPrograms ?? (cannotMount('ext4') === null ? 'a file system of its own was proven instead' : null),
  copies: !(await canReflink(tmpdir())),
  exports: true,
  world: (exec) => fileWorld(tmpdir(), exec, { held: true }),
});
