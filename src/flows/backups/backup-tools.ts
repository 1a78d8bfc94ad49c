/** What flows of backups work with: the stores of this host's configuration, and what copies to them, loaded when it is first asked for. */
import type { BackupKey, Backups } from '../../backups/backups.ts';
import type { StoreAddress } from '../../backups/stores/store-address.ts';
import type { Database } from '../../db/database.ts';
import type { BackupStoreConfig, Config } from '../../lib/config/config.ts';
import { exec } from '../../lib/exec.ts';
import type { Log } from '../../lib/logging.ts';
import { unhandled } from '../../lib/unhandled.ts';
import { BackupKeyMissing, BackupStoreRefused } from '../../model/errors.ts';
import type { BackupTools } from '../tools.ts';
import { BackupTurns } from './backup-turns.ts';

export function backupTools(config: Config, db: Database, log: Log): BackupTools {
  const { backup_stores: stores, backup_keys: keys, max_backup_copies: atOnce, backup_copy_bps_limit: ofHost } = config;
  let ground: Promise<Backups> | undefined;
  return {
    ground: () => {
      ground ??= import('../../backups/make-backups.ts').then(({ makeBackups }) => makeBackups({ exec }));
      return ground;
    },
    store: (name) => {
      const section = Object.hasOwn(stores, name) ? stores[name] : undefined;
      if (section === undefined)
        throw new BackupStoreRefused(`There is no section [backup_stores.${name}] in the configuration of this host.`);
      return {
        address: addressOf(section),
        patienceMs: section.patience_seconds * 1000,
        keyId: section.backup_key ?? null,
        bytesPerSecond: partOfEach([ofHost, section.backup_copy_bps_limit], atOnce),
      };
    },
    storeNames: () => Object.keys(stores),
    keys: () => usableKeys(keys),
    turns: new BackupTurns(atOnce),
    db,
    log,
  };
}

export function addressOf(section: BackupStoreConfig): StoreAddress {
  switch (section.backup_driver) {
    case 'posix':
      return { kind: 'directory', path: section.backup_posix_path };
    case 's3':
      return {
        kind: 's3',
        endpoint: section.backup_s3_endpoint_url,
        region: section.backup_s3_region,
        bucket: section.backup_s3_store_bucket,
        prefix: section.backup_s3_prefix,
        addressing: section.backup_s3_addressing_style,
        accessKey: section.backup_s3_store_access_key,
        secretKey: section.backup_s3_store_secret_key,
        caFile: section.backup_s3_ca_cert_file ?? null,
        silenceMs: section.backup_s3_timeout * 1000,
      };
    case 'swift':
      return {
        kind: 'swift',
        authUrl: section.backup_swift_auth_url,
        authVersion: section.backup_swift_auth_version,
        user: section.backup_swift_user,
        key: section.backup_swift_key,
        userDomain: section.backup_swift_user_domain,
        project: section.backup_swift_project,
        projectDomain: section.backup_swift_project_domain,
        region: section.backup_swift_region ?? null,
        storageUrl: section.backup_swift_storage_url ?? null,
        container: section.backup_swift_container,
        caFile: section.backup_swift_ca_cert_file ?? null,
        silenceMs: section.backup_swift_timeout * 1000,
      };
    default:
      return unhandled(section);
  }
}

/** Each as it is now, or why it cannot be used. */
export async function readKeys(files: Config['backup_keys']): Promise<readonly (BackupKey | BackupKeyMissing)[]> {
  if (Object.keys(files).length === 0) return [];
  const { readBackupKey } = await import('../../backups/keys.ts');
  const read = Object.entries(files).map(([id, path]) =>
    readBackupKey(id, path).catch((error: unknown) => {
      if (error instanceof BackupKeyMissing) return error;
      throw error;
    }),
  );
  return Promise.all(read);
}

/** What cannot be used is missed when it is needed. */
export async function usableKeys(files: Config['backup_keys']): Promise<readonly BackupKey[]> {
  return (await readKeys(files)).flatMap((key) => (key instanceof Error ? [] : [key]));
}

/** Of one of so many, under all limits; 0 is none. A copy is told its rate when it begins, so one that is alone has no more than its part. */
export function partOfEach(limits: readonly number[], atOnce: number): number {
  const least = Math.min(...limits.filter((limit) => limit > 0));
  return Number.isFinite(least) ? Math.ceil(least / atOnce) : 0;
}
