/**
 * `os-extend_volume_completion`: a compute service says how it went when it resized a volume that only it could resize, since it
 * has the volume's file locked (Cinder's NFS drivers wait for that, in `extending` and with the new size in the volume's metadata).
 * No backend here ever waits for it: files grow by themselves, also while they are attached, and `extend_volume` is completed by its own
 * flow. So there is never anything to complete, and every call is refused as Cinder refuses one that it did not ask for.
 */
import type { Caller } from '../../model/caller.ts';
import { InvalidVolume } from '../../model/errors.ts';
import type { Desk } from '../desk.ts';
import { volumeFor } from '../find.ts';

/** Rejects: `InvalidVolume`, or `VolumeNotFound`. */
export async function completeExtend({ db }: Desk, caller: Caller, id: string): Promise<never> {
  const { status } = await volumeFor(db.read, caller, id);
  throw new InvalidVolume(
    `Volume ${id} is ${status}, and waits for nobody to complete an extension: the service completes each itself.`,
  );
}
