/** `pumice backups retry`: an order to begin a backup again that failed for its store's sake. What it had stored is not stored again. */
import { retryBackup } from '../commands/backups/retry-backup.ts';
import { getBackup } from '../db/backups.ts';
import { carriedOut } from './backup-orders.ts';
import type { ConfigFlags } from './configuration.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';

export interface RetryOptions extends ConfigFlags {
  readonly force?: boolean;
}

export function retryByOrder(
  typed: string,
  { force = false, ...options }: RetryOptions,
  around: CliContext,
): Promise<number> {
  const order = { begin: retryBackup, how: () => ({ force }), failed: 'It has failed again' };
  return carriedOut(typed, options, around, order, async (db, id) => {
    const { dataTimestamp, objectCount } = await getBackup(db.read, id);
    around.out.line(`It holds what its volume did at ${dataTimestamp?.slice(0, 19)} UTC, in ${objectCount} objects.`);
    return EXIT.ok;
  });
}
