/** The LVM driver on real LVM, with device-mapper's thin pools: in a guest (`npm run prove:lvm`), or wherever a disk is given for it. */
import { proveDriver } from '../../prove-driver.ts';
import { FAULTS, type Strike } from '../faulty-exec.ts';
import { cannotLvm, givenDisk, type LvmGround, layGround, lvmWorld } from './lvm-world.ts';

/** A program costs half a second and more under emulation: `LVM_STRIKES` says which faults are struck at each. Default: all. */
function strikes(): readonly Strike[] {
  const asked = (process.env.LVM_STRIKES ?? 'before,after,abort').split(',');
  return FAULTS.map(({ strike }) => strike).filter((strike) => asked.includes(strike));
}

let ground: Promise<LvmGround> | undefined;

proveDriver({
  name: 'thin volumes of LVM',
  skip: cannotLvm(),
  copies: false,
  faults: strikes(),
  // Of one step, or of two that are too quick to be seen between.
  atOnce: [
    'snapshotting a volume',
    'keeping for a backup what a volume holds',
    'keeping for a backup what a snapshot holds',
  ],
  open: () => {
    ground = layGround(givenDisk() ?? '');
  },
  close: () => ground?.then((laid) => laid.remove()),
  world: async (exec) => lvmWorld(await (ground as Promise<LvmGround>), exec),
});
