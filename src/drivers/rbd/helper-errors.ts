/** What it means that a helper did not do what it was asked. */
import { DriverNotInitialized } from '../../model/errors.ts';
import { HelperEnded, RbdFailed } from './helper-process.ts';

/** As in errno(3): what a client is told that was fenced. */
const ESHUTDOWN = 108;

/** The cluster answers probes, and not this. */
export class Late extends Error {
  override readonly name = 'Late';
}

export const isFence = (error: unknown): error is RbdFailed => error instanceof RbdFailed && error.errno === ESHUTDOWN;

/** Nobody is there to be asked; any other error is what it was. */
export function notThere(error: unknown): unknown {
  return error instanceof HelperEnded || error instanceof Late
    ? new DriverNotInitialized(error.message, { cause: error })
    : error;
}
