/** A volume, as its row has it. */
import type { Timestamp } from '../lib/clock.ts';
import type { AttachStatus, VolumeStatus } from './status.ts';

/** Keys and values of metadata are text. */
export type Metadata = Readonly<Record<string, string>>;

export interface Volume {
  readonly id: string;
  /** The id its name on the backend is made from, when that is another (after a migration). */
  readonly nameId: string | null;
  readonly projectId: string;
  /** Null: nobody knows any more. */
  readonly userId: string | null;
  readonly name: string | null;
  readonly description: string | null;
  readonly sizeGiB: number;
  readonly status: VolumeStatus;
  readonly previousStatus: VolumeStatus | null;
  readonly attachStatus: AttachStatus;
  readonly migrationStatus: string | null;
  /** `node@backend#pool`; null until a backend is chosen. */
  readonly host: string | null;
  readonly availabilityZone: string | null;
  readonly volumeTypeId: string;
  readonly snapshotId: string | null;
  readonly sourceVolumeId: string | null;
  readonly groupId: string | null;
  readonly bootable: boolean;
  readonly multiattach: boolean;
  /** False for volumes the service makes for itself. */
  readonly usesQuota: boolean;
  readonly encryptionKeyId: string | null;
  readonly replicationStatus: string | null;
  readonly providerLocation: string | null;
  readonly providerId: string | null;
  /** What it was taken over by; null for a volume made here. */
  readonly managedRef: Metadata | null;
  readonly metadata: Metadata;
  readonly adminMetadata: Metadata;
  /** What was captured of the image it was made from; null when it was made from none. */
  readonly imageMetadata: Metadata | null;
  /** What will be, of the image that is being written to it. */
  readonly nextImageMetadata: Metadata | null;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp | null;
  readonly scheduledAt: Timestamp | null;
  readonly launchedAt: Timestamp | null;
  readonly terminatedAt: Timestamp | null;
  /** Rises with every change. */
  readonly revision: number;
}

/** What a backend is told of a volume: sizes in GiB. */
export const refOf = ({ id, nameId, sizeGiB }: Volume) => ({ id, nameId, sizeGiB });

/** A row to be made; what is not said is null, false or empty, and it uses quota. */
export type NewVolume = Pick<Volume, 'id' | 'projectId' | 'userId' | 'sizeGiB' | 'status' | 'volumeTypeId'> &
  Partial<Omit<Volume, 'updatedAt' | 'revision'>>;

export type VolumePatch = Partial<Omit<Volume, 'id' | 'createdAt' | 'updatedAt' | 'revision'>>;
