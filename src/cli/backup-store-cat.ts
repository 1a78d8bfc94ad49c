/**
 * `pumice backup-store cat MANIFEST`: a backup on standard output, read from the directory of a store and from nothing else. It needs no
 * configuration, no database and no service.
 */
import { once } from 'node:events';
import { basename, dirname, resolve } from 'node:path';
import { readBackupKey } from '../backups/keys.ts';
import { makeBackups } from '../backups/make-backups.ts';
import { exec } from '../lib/exec.ts';
import { PumiceError } from '../model/errors.ts';
import type { CliContext } from './context.ts';
import { Complaint, EXIT } from './exit-codes.ts';

export interface BackupStoreCatOptions {
  /** `ID=FILE`, each a key of backups. */
  readonly key: readonly string[];
}

export async function backupStoreCat(
  manifest: string,
  { key }: BackupStoreCatOptions,
  { signal }: CliContext,
): Promise<number> {
  if (process.stdout.isTTY) throw new Complaint('A disk is no text: send it to a file or a program.', EXIT.usage);
  const found = placeOf(resolve(manifest));
  try {
    const keys = await Promise.all(key.map(keyOf));
    const content = await makeBackups({ exec }).content({ ...found, keys }, signal);
    for await (const piece of content.read(signal))
      if (!process.stdout.write(piece)) await once(process.stdout, 'drain', { signal });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof PumiceError) throw new Complaint(error.message, EXIT.failed, { cause: error });
    throw error;
  }
}

/** `STORE/scopes/SCOPE/manifests/BACKUP` */
function placeOf(path: string) {
  const [manifests, scope] = [dirname(path), dirname(dirname(path))];
  if (basename(manifests) !== 'manifests' || basename(dirname(scope)) !== 'scopes')
    throw new Complaint(`${path} is no manifest of a store: STORE/scopes/SCOPE/manifests/BACKUP.`, EXIT.usage);
  const store = { kind: 'directory', path: dirname(dirname(scope)) } as const;
  return { store, scope: basename(scope), backupId: basename(path) };
}

function keyOf(text: string) {
  const at = text.indexOf('=');
  if (at < 1) throw new Complaint(`${text} is no key: it is called ID=FILE.`, EXIT.usage);
  return readBackupKey(text.slice(0, at), text.slice(at + 1));
}
