/**
 * The error message of a command that failed, as short as it can be said: a stack only for an error that nobody foresaw.
 */
import { Complaint, EXIT } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** Errors that are clear by their message, by name: their classes are not loaded until they are needed. */
const PLAIN: Readonly<Record<string, number>> = {
  CinderUnreadable: EXIT.failed,
  ConfigInvalid: EXIT.usage,
  FillRefused: EXIT.failed,
  CertificatesUnusable: EXIT.usage,
  // What `wire` finds wrong with the scheduler's options.
  PumiceError: EXIT.usage,
  ConnectionLost: EXIT.databaseLost,
  DatabaseInUse: EXIT.failed,
  DatabaseMissing: EXIT.failed,
  FlowConflict: EXIT.failed,
  FlowNotFound: EXIT.failed,
  ImportUnfinished: EXIT.failed,
  SchemaMismatch: EXIT.failed,
  UnknownFlow: EXIT.failed,
};

/** Returns the exit code. `interrupted` is the signal that ends commands; its reason is no failure. */
export function explain(error: unknown, around: { readonly err: Terminal; readonly interrupted: AbortSignal }): number {
  const { err, interrupted } = around;
  if (interrupted.aborted && error === interrupted.reason) return EXIT.interrupted;
  if (!(error instanceof Error)) {
    err.line(`pumice: ${String(error)}`);
    return EXIT.failed;
  }
  const exitCode = plainExitCode(error);
  if (exitCode !== undefined) {
    err.line(`pumice: ${error.message}${reasonOf(error)}`);
    return exitCode;
  }
  err.line('pumice: this was not foreseen, and is a mistake in Pumice');
  for (let each: unknown = error; each instanceof Error; each = each.cause)
    err.line(`${each === error ? '' : 'caused by '}${each.stack}`);
  return EXIT.failed;
}

/** Of what failed without saying why. */
function reasonOf({ name, cause }: Error): string {
  if (name !== 'ConnectionLost' || !(cause instanceof Error)) return '';
  // A name with several addresses fails at each, and says nothing itself.
  const [first = cause] = cause instanceof AggregateError ? (cause.errors as Error[]) : [cause];
  return ` ${first.message}`;
}

function plainExitCode(error: Error): number | undefined {
  if (error instanceof Complaint) return error.exitCode;
  // What the system, SQLite or PostgreSQL says of a file or an address has a code, and is no mistake of ours.
  return PLAIN[error.name] ?? ('code' in error && typeof error.code === 'string' ? EXIT.failed : undefined);
}
