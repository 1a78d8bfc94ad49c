/** Why a Cinder database cannot be read. No message holds a password, nor a value of a row. */
import { PumiceError } from '../../model/errors.ts';

/** It cannot be reached or read, or is no Cinder database that is known; the message says what to do. */
export class CinderUnreadable extends PumiceError {}

const OF_SERVERS: Readonly<Record<string, string>> = {
  ER_ACCESS_DENIED_ERROR:
    'the server does not know this user with this password; the password is read from --password-file',
  ER_ACCESS_DENIED_NO_PASSWORD_ERROR: 'the server wants a password; name the file that holds it with --password-file',
  ER_DBACCESS_DENIED_ERROR: 'this user may not open the database; it needs SELECT on all of its tables',
  ER_TABLEACCESS_DENIED_ERROR: 'this user may not read all tables; it needs SELECT on the whole database',
  ER_BAD_DB_ERROR: 'the server has no database of this name',
  '28000': 'the server does not let this user in',
  '28P01': 'the server does not know this user with this password; the password is read from --password-file',
  '3D000': 'the server has no database of this name',
  '42501': 'this user may not read all tables; it needs SELECT on the whole database',
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no host of this name',
  ENOENT: 'there is no socket of this name',
  ETIMEDOUT: 'nobody answers',
};

/** For what a driver threw while `doing`: `connecting to db1:3306`. */
export function unreadable(doing: string, error: unknown): CinderUnreadable {
  if (error instanceof CinderUnreadable) return error;
  // A name with several addresses fails at each, and says nothing itself.
  const [first = error] = error instanceof AggregateError ? (error.errors as unknown[]) : [error];
  const { code, message = String(first) } = first as Partial<NodeJS.ErrnoException>;
  const known = code === undefined ? undefined : OF_SERVERS[code];
  const reason =
    known ??
    (/\bSASL\b|password must be/.test(message)
      ? 'the server wants a password; name the file that holds it with --password-file'
      : message.replace(/\.$/, ''));
  return new CinderUnreadable(
    `${doing} failed: ${reason}${known === undefined || code === undefined ? '' : ` (${code})`}.`,
    {
      cause: error,
    },
  );
}
