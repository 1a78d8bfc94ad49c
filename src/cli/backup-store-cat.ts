/**
 * `pumice backup-store cat MANIFEST`: a backup on standard output, read from a store and from nothing else. It needs no database and no
 * service, and for the directory of a store no configuration; another store is described by a section of one, which need hold nothing else but keys.
 * A backup that a real Cinder has made is read by its metadata.
 */
import { once } from 'node:events';
import { dirname, relative, resolve } from 'node:path';
import type { BackupKey } from '../backups/backups.ts';
import { contentOfCinder } from '../backups/cinder/cinder-content.ts';
import { cinderName, ownContainer } from '../backups/cinder/cinder-metadata.ts';
import { cinderStoreAt } from '../backups/cinder/cinder-store.ts';
import { readBackupKey } from '../backups/keys.ts';
import { makeBackups } from '../backups/make-backups.ts';
import type { StoreAddress } from '../backups/stores/store-address.ts';
import { addressOf, usableKeys } from '../flows/backups/backup-tools.ts';
import { exec } from '../lib/exec.ts';
import type { Content } from '../lib/file-content.ts';
import { PumiceError } from '../model/errors.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { Complaint, EXIT } from './exit-codes.ts';
import { settleOutput, standardOutput } from './standard-output.ts';
import { storeSection } from './store-section.ts';

export interface BackupStoreCatOptions extends ConfigFlags {
  /** `ID=FILE`, each a key of backups. Those of a configuration that is named are known as well. */
  readonly key: readonly string[];
  /** A section of `[backup_stores.*]`. Without it the manifest is a file. */
  readonly store?: string;
}

export async function backupStoreCat(
  manifest: string,
  { key, store, ...flags }: BackupStoreCatOptions,
  { signal }: CliContext,
): Promise<number> {
  if (standardOutput.isTTY) throw new Complaint('A disk is no text: send it to a file or a program.', EXIT.usage);
  const section = store === undefined ? undefined : addressOf(storeSection(configurationOf(flags), store));
  const name = section === undefined ? resolve(manifest) : manifest;
  try {
    const content =
      cinderName(name) === undefined
        ? await contentOfOurs(name, section, { key, ...flags }, signal)
        : await contentOfTheirs(name, section, signal);
    for await (const piece of content.read(signal))
      if (!standardOutput.write(piece)) await once(standardOutput, 'drain', { signal });
    settleOutput();
    return EXIT.ok;
  } catch (error) {
    if (error instanceof PumiceError) throw new Complaint(error.message, EXIT.failed, { cause: error });
    throw error;
  }
}

async function contentOfOurs(
  name: string,
  section: StoreAddress | undefined,
  { key, ...flags }: BackupStoreCatOptions,
  signal: AbortSignal,
): Promise<Content> {
  const place = section === undefined ? placeOf(name) : placeIn(section, name);
  const keys = [...(await Promise.all(key.map(keyOf))), ...(await configuredKeys(flags))];
  return makeBackups({ exec }).content({ ...place, keys }, signal);
}

/** What Cinder has made. A file stands in the directory that was its store, where others that it needs are. */
async function contentOfTheirs(name: string, section: StoreAddress | undefined, signal: AbortSignal): Promise<Content> {
  if (section !== undefined) return contentOfCinder(await cinderStoreAt(section), name, signal);
  const { container = '', id = '' } = cinderName(name) ?? {};
  const path = container.endsWith(`/${ownContainer(id)}`) ? container.slice(0, -ownContainer(id).length) : container;
  return contentOfCinder(await cinderStoreAt({ kind: 'directory', path }), relative(path, name), signal);
}

/** `STORE/scopes/SCOPE/manifests/BACKUP` */
function placeOf(path: string) {
  const store = dirname(dirname(dirname(dirname(path))));
  return placeIn({ kind: 'directory', path: store }, relative(store, path), path);
}

/** `scopes/SCOPE/manifests/BACKUP`, in that store. `called`: by whoever reads of it. */
function placeIn(store: StoreAddress, name: string, called = name) {
  const [scopes, scope, manifests, backupId, ...more] = name.split('/');
  if (scopes !== 'scopes' || manifests !== 'manifests' || !scope || !backupId || more.length > 0)
    throw new Complaint(`${called} is no manifest of a store: scopes/SCOPE/manifests/BACKUP.`, EXIT.usage);
  return { store, scope, backupId };
}

/** Of a configuration that was named. One that cannot be read is missed when it is needed. */
async function configuredKeys(flags: ConfigFlags): Promise<readonly BackupKey[]> {
  if (flags.config === undefined && flags.data === undefined && flags.set.length === 0) return [];
  return usableKeys(configurationOf(flags).backup_keys);
}

function keyOf(text: string) {
  const at = text.indexOf('=');
  if (at < 1) throw new Complaint(`${text} is no key: it is called ID=FILE.`, EXIT.usage);
  return readBackupKey(text.slice(0, at), text.slice(at + 1));
}
