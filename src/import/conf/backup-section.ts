/** The store that Cinder's backups are in. Keys are not copied: the section names files that the operator puts them into. */
import { createHash } from 'node:crypto';
import type { OsloConf } from './oslo-conf.ts';
import { tomlLine } from './toml-lines.ts';

export interface BackupSection {
  readonly lines: readonly string[];
  readonly notes: readonly string[];
}

/** Undefined: Cinder has no backup service that says anything. */
export function backupSection(conf: OsloConf): BackupSection | undefined {
  const driver = conf.value('DEFAULT', 'backup_driver');
  if (driver === undefined) return undefined;
  const [, kind = driver] = /^cinder\.backup\.drivers\.([a-z0-9]+)(?:\.|$)/.exec(driver) ?? [];
  const said = (option: string): string | undefined => conf.value('DEFAULT', option);
  const kept = (...options: readonly string[]): string[] =>
    options.flatMap((option) => {
      const value = said(option);
      return value === undefined ? [] : [tomlLine(option, value)];
    });
  switch (kind) {
    case 'posix':
      return { lines: directory(said('backup_posix_path') ?? `${stateOf(conf)}/backup`), notes: [] };
    case 'nfs': {
      const share = said('backup_share');
      if (share === undefined)
        return { lines: [], notes: ['backup_share is not said, so nobody knows where backups are'] };
      const base = said('backup_mount_point_base') ?? `${stateOf(conf)}/backup_mount`;
      const path = `${base}/${createHash('md5').update(share).digest('hex')}`;
      return {
        lines: directory(path),
        notes: [`${share} has to be mounted at ${path}, as Cinder did it, or somewhere else and named so`],
      };
    }
    case 's3':
      return {
        lines: [
          tomlLine('backup_driver', 's3'),
          ...kept('backup_s3_endpoint_url', 'backup_s3_store_bucket', 'backup_s3_ca_cert_file'),
          tomlLine('backup_s3_store_access_key_file', '/etc/pumice/s3-access-key'),
          tomlLine('backup_s3_store_secret_key_file', '/etc/pumice/s3-secret-key'),
        ],
        notes: ['the keys of S3 go into /etc/pumice/s3-access-key and /etc/pumice/s3-secret-key'],
      };
    case 'swift':
      return {
        lines: [
          tomlLine('backup_driver', 'swift'),
          ...kept(
            'backup_swift_auth_url',
            'backup_swift_auth_version',
            'backup_swift_user',
            'backup_swift_user_domain',
            'backup_swift_project',
            'backup_swift_project_domain',
            'backup_swift_container',
            'backup_swift_ca_cert_file',
          ),
          tomlLine('backup_swift_key_file', '/etc/pumice/swift-key'),
        ],
        notes: [
          "the password for Swift goes into /etc/pumice/swift-key; where Cinder used each user's own token (backup_swift_auth = per_user), a user of its own is wanted that may read those containers",
        ],
      };
    default:
      return {
        lines: [],
        notes: [`backup_driver = ${driver}: nothing here reads such backups; they come in, and cannot be restored`],
      };
  }
}

const directory = (path: string): string[] => [tomlLine('backup_driver', 'posix'), tomlLine('backup_posix_path', path)];

const stateOf = (conf: OsloConf): string => conf.value('DEFAULT', 'state_path') ?? '/var/lib/cinder';
