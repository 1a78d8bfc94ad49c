/** The LVM driver down to the words that it says to LVM, on a model of it (`false-lvm.ts` tells what that does not show). */
import { proveDriver } from '../../prove-driver.ts';
import { missing } from '../file/file-systems.ts';
import { falsePrograms } from './false-lvm.ts';
import { falseLvmWorld } from './false-lvm-world.ts';

proveDriver({
  name: 'thin volumes of a model of LVM',
  skip: missing('qemu-img', 'prlimit', 'cp', 'sync', 'setpriv'),
  copies: false,
  // Of one step, or of two between which nothing takes any time here.
  atOnce: [
    'snapshotting a volume',
    'keeping for a backup what a volume holds',
    'keeping for a backup what a snapshot holds',
  ],
  programs: falsePrograms,
  world: (exec) => falseLvmWorld(exec),
});
