/**
 * Whether the user that a Cinder wrote as is shut out of its database. The servers say of a wrong password what they say of a user who is not there,
 * so neither proves anything: what does is a login that succeeds and may change nothing, an account that is locked, or a login that the password
 * opened and that ends since the user has no right to the database.
 *
 * MySQL and MariaDB look at the password first, and at the lock (4151, 3118) and the rights on the database (1044) after that. PostgreSQL
 * does too, with `NOLOGIN` (28000) and the right to connect (42501); but 28000 is also what `pg_hba.conf` says of an address, and what is
 * said of a role that does not exist: only its words tell these apart.
 */
import type { CinderSession } from '../cinder/cinder-session.ts';
import { CINDER_TABLES } from '../cinder/cinder-tables.ts';
import { CinderUnreadable } from '../cinder/cinder-unreadable.ts';

export type WriterState = 'shut-out' | 'may-write' | 'unknown';

const SHUT_OUT: ReadonlySet<string> = new Set(['ER_DBACCESS_DENIED_ERROR', 'ER_ACCOUNT_HAS_BEEN_LOCKED', '42501']);
/** Where `mysql2` does not know the name of what MariaDB says. */
const LOCKED: ReadonlySet<number> = new Set([3118, 4151]);
const NO_PROOF: ReadonlySet<string> = new Set([
  'ER_ACCESS_DENIED_ERROR',
  'ER_ACCESS_DENIED_NO_PASSWORD_ERROR',
  '28000',
  '28P01',
]);

/** `open` opens a session to write as that user. Rejects for whatever says nothing of it, like a server that does not answer. */
export async function writerState(open: () => Promise<CinderSession>): Promise<WriterState> {
  try {
    const session = await open();
    try {
      return (await session.mayWrite(Object.keys(CINDER_TABLES))) ? 'may-write' : 'shut-out';
    } finally {
      await session.close();
    }
  } catch (error) {
    const said = refusalIn(error);
    if (said === undefined) throw error;
    return said;
  }
}

function refusalIn(error: unknown): WriterState | undefined {
  if (!(error instanceof CinderUnreadable)) return undefined;
  const { code, errno, message } = (error.cause ?? {}) as Partial<NodeJS.ErrnoException>;
  if (errno !== undefined && LOCKED.has(errno)) return 'shut-out';
  if (code === undefined) return undefined;
  if (SHUT_OUT.has(code)) return 'shut-out';
  if (code === '28000' && /is not permitted to log in$/.test(message ?? '')) return 'shut-out';
  return NO_PROOF.has(code) ? 'unknown' : undefined;
}
