/**
 * What LVM's programs complain of, translated into errors of the catalogue. They have two exits for all failures: 3 for arguments and names
 * that they refuse, 5 for everything else. So the text decides, which `LC_ALL=C` keeps the same, and where it can a look afterwards.
 */
import { CommandFailed } from '../../lib/exec.ts';
import { BackendFull, DriverFailed, DriverNotInitialized } from '../../model/errors.ts';
import { translated } from '../file/file-errors.ts';

export const alreadyExists = (error: unknown): boolean => complainsOf(error, /already exists in volume group/);
export const isInUse = (error: unknown): boolean => complainsOf(error, / in use\.?$|Device or resource busy/m);
export const isGone = (error: unknown): boolean => complainsOf(error, /Failed to find logical volume|not found/);
export const isNoDevice = (error: unknown): boolean => complainsOf(error, /Device does not exist/);
/** A metadata snapshot is reserved, by a process that was killed. */
export const isReserved = (error: unknown): boolean => complainsOf(error, /Device or resource busy/);

const complainsOf = (error: unknown, text: RegExp): boolean =>
  error instanceof CommandFailed && text.test(error.stderr);

/** Runs `body`; a failure of a program comes out as one of the catalogue's that says what was being done. Nobody is told "done" who has stopped. */
export function lvmTranslated<Result>(
  doing: string,
  signal: AbortSignal,
  body: () => Promise<Result>,
): Promise<Result> {
  return translated(doing, signal, async () => {
    const result = await body().catch((error: unknown) => {
      throw explained(doing, error);
    });
    signal.throwIfAborted();
    return result;
  });
}

const PROGRAMS: ReadonlySet<string> = new Set([
  'lvs',
  'vgs',
  'lvcreate',
  'lvchange',
  'lvextend',
  'lvrename',
  'lvremove',
]);

function explained(doing: string, error: unknown): unknown {
  if (!(error instanceof CommandFailed) || error.timedOut) return error;
  const cause = { cause: error };
  if (/out of data space|reached threshold|[Ii]nsufficient (free |suitable )?(space|allocatable)/.test(error.stderr))
    return new BackendFull(`Could not ${doing}: no space is left in the thin pool.`, cause);
  if (/Volume group ".*" not found/.test(error.stderr))
    return new DriverNotInitialized(`Could not ${doing}: ${complaint(error)}`, cause);
  return PROGRAMS.has(error.argv[0] ?? '')
    ? new DriverFailed(`Could not ${doing}: ${error.argv[0]}: ${complaint(error)}`, cause)
    : error;
}

/** Without the warnings, which come with every order to a group that promises more than it has. */
function complaint({ stderr, exitCode }: CommandFailed): string {
  const lines = stderr.split('\n').map((line) => line.trim());
  const said = lines.filter((line) => line !== '' && !line.startsWith('WARNING:')).join(' ');
  return said === '' ? `it ended with ${exitCode ?? 'a signal'}` : said;
}
