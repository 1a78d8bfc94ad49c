/** What a backend says of one member of a group, and what it says of itself. */
import { DriverFailed, DriverNotInitialized, VolumeIsBusy } from '../../model/errors.ts';

/** A volume or a snapshot that its backend refused, and the name of the failure. */
export interface RefusedMember {
  readonly id: string;
  readonly failure: string;
}

/** Another member may succeed. */
export const isOfOneMember = (error: unknown): error is DriverFailed | VolumeIsBusy =>
  error instanceof VolumeIsBusy || (error instanceof DriverFailed && !(error instanceof DriverNotInitialized));
