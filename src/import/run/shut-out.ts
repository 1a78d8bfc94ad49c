/** Whether a database refused to let a user in: a server that does not answer says nothing of that. */
import { CinderUnreadable } from '../cinder/cinder-unreadable.ts';

const REFUSED: ReadonlySet<string> = new Set([
  'ER_ACCESS_DENIED_ERROR',
  'ER_DBACCESS_DENIED_ERROR',
  'ER_TABLEACCESS_DENIED_ERROR',
  'ER_ACCOUNT_HAS_BEEN_LOCKED',
  '28000',
  '28P01',
  '42501',
]);

export function isShutOut(error: unknown): boolean {
  if (!(error instanceof CinderUnreadable)) return false;
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return code !== undefined && REFUSED.has(code);
}
