/**
 * Transient errors of storage: the disk is full, the connection broke, two transactions met. It is nobody's mistake and
 * passes, so the writer tries again and nothing is given up.
 */
import { ConnectionLost } from './connection.ts';
import { CommitInDoubt } from './transactor.ts';

/** SQLite's primary result codes: BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL. */
const SQLITE_TROUBLE: ReadonlySet<number> = new Set([5, 6, 7, 8, 10, 13, 14, 15]);
/** PostgreSQL's classes: connection, transaction rollback, resources, operator intervention, system error. */
const SQLSTATE_TROUBLE = /^(08|40|53|57|58)/;

export function isTrouble(error: unknown): boolean {
  if (error instanceof ConnectionLost || error instanceof CommitInDoubt) return true;
  if (!(error instanceof Error)) return false;
  if ('errcode' in error && typeof error.errcode === 'number') return SQLITE_TROUBLE.has(error.errcode & 0xff);
  return (
    'code' in error &&
    typeof error.code === 'string' &&
    /^[0-9A-Z]{5}$/.test(error.code) &&
    SQLSTATE_TROUBLE.test(error.code)
  );
}
