/** A backup of a volume, as its row has it. What it is made of lies in a backup store, and outlives its volume. */
import type { Timestamp } from '../lib/clock.ts';
import type { BackupStatus } from './backup-status.ts';
import type { Metadata } from './volume.ts';

/** What can read a backup of ours, as an export of its record names it. */
export const BACKUP_SERVICE = 'pumice.backup.v1';
/** The name under which whoever makes backups tells that it lives, as in Cinder. */
export const BACKUP_BINARY = 'cinder-backup';

/** Of a backup that is imported, until what is in its store has been read, as in Cinder. */
export const UNKNOWN_VOLUME = '00000000-0000-0000-0000-000000000000';

export interface Backup {
  readonly id: string;
  readonly projectId: string;
  /** Null: nobody knows any more. */
  readonly userId: string | null;
  /** Of the volume it was made from, which may be gone. */
  readonly volumeId: string;
  readonly snapshotId: string | null;
  /** The backup it is an increment to, for those who ask the API; to read it nothing else is needed. */
  readonly parentId: string | null;
  readonly name: string | null;
  readonly description: string | null;
  readonly status: BackupStatus;
  /** For people, at most 255 characters. */
  readonly failReason: string | null;
  /** Of the volume when it was made, GiB. */
  readonly sizeGiB: number;
  /** What whoever asked for it wanted its container to be called, else its scope. Of a backup of a real Cinder: where it lies. */
  readonly container: string | null;
  readonly availabilityZone: string | null;
  /** Of the service that makes it, or has made it. */
  readonly host: string | null;
  /** What can read it, as Cinder's export names it. */
  readonly service: string | null;
  readonly serviceMetadata: string | null;
  /** How many objects were written to the store for it. */
  readonly objectCount: number;
  /** When the volume was as the backup has it. */
  readonly dataTimestamp: Timestamp | null;
  /** The volume it is being restored to, or was last. */
  readonly restoreVolumeId: string | null;
  readonly encryptionKeyId: string | null;
  readonly metadata: Metadata;
  /** What its volume remembered of its image; null when that could not be booted from. */
  readonly imageMetadata: Metadata | null;
  /** Null until something of it may be in a store. */
  readonly scopeId: string | null;
  /** Of the scope, when it began. */
  readonly epoch: number;
  /** The schedule that asked for it, which may be gone; null: somebody has. */
  readonly scheduleId: string | null;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp | null;
  /** Rises with every change. */
  readonly revision: number;
}

/** A row to be made; what is not said is null, empty or none. */
export type NewBackup = Pick<Backup, 'id' | 'projectId' | 'userId' | 'volumeId' | 'status' | 'sizeGiB'> &
  Partial<Omit<Backup, 'updatedAt' | 'revision'>>;

export type BackupPatch = Partial<Omit<Backup, 'id' | 'createdAt' | 'updatedAt' | 'revision'>>;
