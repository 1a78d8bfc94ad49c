/** The file driver on the file systems it meets: with reflinks, without, and whatever the machine's own is. */
import { tmpdir } from 'node:os';
import { canReflink } from '../../../src/drivers/file/file-copy.ts';
import { proveDriver } from '../../prove-driver.ts';
import { cannotMount, type FileSystem, type Kind, missing, mountFileSystem } from './file-systems.ts';
import { fileWorld } from './file-world.ts';

const noPrograms = missing('qemu-img', 'prlimit', 'cp', 'sync');

function proveOn(kind: Kind, { sizeMiB, copies }: { readonly sizeMiB: number; readonly copies: boolean }): void {
  let mounted: FileSystem | undefined;
  proveDriver({
    name: `files on ${kind}`,
    skip: noPrograms ?? cannotMount(kind),
    copies,
    open: () => {
      mounted = mountFileSystem(kind, sizeMiB);
    },
    close: () => mounted?.remove(),
    world: (exec) => fileWorld(mounted?.path ?? '', exec, { fillable: true, held: true }),
  });
}

proveOn('xfs', { sizeMiB: 400, copies: false });
proveOn('btrfs', { sizeMiB: 300, copies: false });
proveOn('ext4', { sizeMiB: 200, copies: true });

proveDriver({
  name: 'files in a plain directory',
  skip: noPrograms,
  copies: !(await canReflink(tmpdir())),
  exports: true,
  world: (exec) => fileWorld(tmpdir(), exec, { held: true }),
});
