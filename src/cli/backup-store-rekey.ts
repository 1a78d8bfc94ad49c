/**
 * `pumice backup-store rekey KEY`: the keys of all encrypted scopes that the database knows are wrapped with this key of the operator's. What
 * the stores hold stays as it is; a server may go on beside it, when it has the key, too. Done twice is done once.
 */
import { readBackupKey } from '../backups/keys.ts';
import { makeBackups } from '../backups/make-backups.ts';
import { allScopes } from '../db/backup-scopes.ts';
import { openDatabase } from '../db/database.ts';
import { backupTools } from '../flows/backups/backup-tools.ts';
import { exec } from '../lib/exec.ts';
import { silentLog } from '../lib/logging.ts';
import { BackupMissing, PumiceError } from '../model/errors.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { Complaint, EXIT } from './exit-codes.ts';

export async function backupStoreRekey(
  keyId: string,
  options: ConfigFlags,
  { out, err, signal }: CliContext,
): Promise<number> {
  const config = configurationOf(options);
  const file = Object.hasOwn(config.backup_keys, keyId) ? config.backup_keys[keyId] : undefined;
  if (file === undefined)
    throw new Complaint(`There is no key ${keyId} in [backup_keys] of the configuration.`, EXIT.usage);
  await readBackupKey(keyId, file).catch((error: Error) => {
    throw new Complaint(error.message, EXIT.failed, { cause: error });
  });
  const db = await openDatabase(config.database.url, { as: 'tool' });
  try {
    const tools = backupTools(config, db, silentLog);
    const [ground, keys] = [makeBackups({ exec }), await tools.keys()];
    const counts = { wrapped: 0, plain: 0, failed: 0 };
    for (const { id: scope, store } of await allScopes(db.read)) {
      try {
        const isEncrypted = await ground.changeKey({ store: tools.store(store).address, scope, keys }, keyId, signal);
        counts[isEncrypted ? 'wrapped' : 'plain'] += 1;
      } catch (error) {
        signal.throwIfAborted();
        // Its first backup was never begun, or is about to be.
        if (error instanceof BackupMissing) continue;
        if (!(error instanceof PumiceError)) throw error;
        counts.failed += 1;
        err.line(`scope ${scope} in store ${store}: ${error.message}`);
      }
    }
    out.line(
      `${counts.wrapped} scopes need key ${keyId} and no other, ${counts.plain} are not encrypted, ${counts.failed} failed.`,
    );
    return counts.failed === 0 ? EXIT.ok : EXIT.failed;
  } finally {
    await db.close();
  }
}
