/**
 * Backups that a real Cinder has made, by its drivers that store chunks: what can read them, and where in which kind of store their metadata lies. Nothing of
 * ours is written there.
 */
import type { Backup } from './backup.ts';

/** By the class that a record names, or its module alone, as older ones do. */
const DRIVERS = {
  'cinder.backup.drivers.posix.PosixBackupDriver': 'directory',
  'cinder.backup.drivers.posix': 'directory',
  'cinder.backup.drivers.nfs.NFSBackupDriver': 'directory',
  'cinder.backup.drivers.nfs': 'directory',
  'cinder.backup.drivers.s3.S3BackupDriver': 's3',
  'cinder.backup.drivers.s3': 's3',
  'cinder.backup.drivers.swift.SwiftBackupDriver': 'swift',
  'cinder.backup.drivers.swift': 'swift',
} as const;
export type CinderStoreKind = (typeof DRIVERS)[keyof typeof DRIVERS];

/** Names what is adopted where no record does. */
export const CINDER_SERVICES: Readonly<Record<CinderStoreKind, string>> = {
  directory: 'cinder.backup.drivers.posix.PosixBackupDriver',
  s3: 'cinder.backup.drivers.s3.S3BackupDriver',
  swift: 'cinder.backup.drivers.swift.SwiftBackupDriver',
};

/** Undefined where it is none of Cinder's that can be read here. */
export const cinderStoreKind = (service: string | null): CinderStoreKind | undefined =>
  service !== null && Object.hasOwn(DRIVERS, service) ? DRIVERS[service as keyof typeof DRIVERS] : undefined;

/** A backup of Cinder's: where its metadata lies. In a directory its container is one below it, else it is the bucket. Null: such a name leads elsewhere. */
export function cinderMetadataName(
  kind: CinderStoreKind,
  { container, serviceMetadata }: Pick<Backup, 'container' | 'serviceMetadata'>,
): string | null {
  const parts = [
    ...(kind === 'directory' && container ? container.split('/') : []),
    ...(serviceMetadata ?? '').split('/'),
  ];
  if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'))) return null;
  return `${parts.join('/')}_metadata`;
}
