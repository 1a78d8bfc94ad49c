/**
 * Errors of the operating system, translated into those of the catalogue (`model/errors.ts`).
 *
 * Only failures of the world are translated. A bug stays the error it is, and an abort stays its reason.
 */
import { errno } from '../../lib/errno.ts';
import { CommandFailed, CommandMissing } from '../../lib/exec.ts';
import { BackendFull, DriverFailed, DriverNotInitialized, PumiceError } from '../../model/errors.ts';

/** Runs `body`; an error of the system comes out as one of the catalogue's that says what was being done. */
export async function translated<Result>(
  doing: string,
  signal: AbortSignal,
  body: () => Promise<Result>,
): Promise<Result> {
  try {
    signal.throwIfAborted();
    return await body();
  } catch (error) {
    throw signal.aborted ? signal.reason : explained(doing, error);
  }
}

/** The symbol is as in errno(3); programs report the same by their text. */
const TEXTS: readonly (readonly [string, RegExp])[] = [
  ['ENOSPC', /No space left on device/],
  ['EDQUOT', /Disk quota exceeded/],
  ['EROFS', /Read-only file system/],
  ['EACCES', /Permission denied/],
  ['EPERM', /Operation not permitted/],
  ['EIO', /Input\/output error/],
];

function explained(doing: string, error: unknown): unknown {
  if (error instanceof PumiceError) return error;
  if (error instanceof CommandMissing)
    return new DriverFailed(`Could not ${doing}: ${error.message}`, { cause: error });
  const failure =
    error instanceof CommandFailed ? TEXTS.find(([, text]) => text.test(error.stderr))?.[0] : errno(error);
  if (failure === undefined && !(error instanceof CommandFailed)) return error;
  const cause = { cause: error };
  switch (failure) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new BackendFull(`Could not ${doing}: no space is left on the backend.`, cause);
    case 'EROFS':
      return new DriverFailed(`Could not ${doing}: the file system is read-only.`, cause);
    case 'EACCES':
    case 'EPERM':
      return new DriverFailed(`Could not ${doing}: the service may not do this there (permission denied).`, cause);
    case 'ENOTDIR':
      return new DriverNotInitialized(`Could not ${doing}: the backend's path is not a directory.`, cause);
    case 'EIO':
      return new DriverFailed(`Could not ${doing}: the disk reported an input/output error.`, cause);
    default:
      return new DriverFailed(`Could not ${doing}: ${error instanceof Error ? error.message : String(error)}`, cause);
  }
}
