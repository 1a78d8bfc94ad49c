/** What the helper could not do, as an error of the catalogue (`model/errors.ts`) that says what was being done. */
import {
  BackendFull,
  BackendObjectMismatch,
  ConsistentSnapshotRefused,
  DriverFailed,
  InvalidInput,
  VolumeIsBusy,
} from '../../model/errors.ts';
import { translated } from '../file/file-errors.ts';
import { RbdFailed } from './helper-process.ts';

/** As in errno(3). */
const EPERM = 1;
const EACCES = 13;
const ENOSPC = 28;
const EROFS = 30;
const EDQUOT = 122;

/** Runs `body`, whose errors come out as those of the catalogue. */
export function inPool<Result>(doing: string, signal: AbortSignal, body: () => Promise<Result>): Promise<Result> {
  return translated(doing, signal, async () => {
    try {
      return await body();
    } catch (error) {
      throw error instanceof RbdFailed ? explained(doing, error) : error;
    }
  });
}

function explained(doing: string, error: RbdFailed): Error {
  const message = `Could not ${doing}: ${error.message}`;
  const cause = { cause: error };
  switch (error.what) {
    case 'mismatch':
      return new BackendObjectMismatch(message, cause);
    case 'busy':
    case 'in_use':
      return new VolumeIsBusy(message, cause);
    case 'too_big':
      return new InvalidInput(message, cause);
    case 'unheld':
      return new ConsistentSnapshotRefused(message, cause);
  }
  switch (error.errno) {
    case ENOSPC:
    case EDQUOT:
      return new BackendFull(`Could not ${doing}: no space is left in the pool.`, cause);
    case EPERM:
    case EACCES:
      return new DriverFailed(
        `Could not ${doing}: the Ceph user may not do this; it needs mon "profile rbd" and osd "profile rbd pool=…".`,
        cause,
      );
    case EROFS:
      return new DriverFailed(`Could not ${doing}: somebody died with the image open, and could not be fenced.`, cause);
    default:
      return new DriverFailed(message, cause);
  }
}
