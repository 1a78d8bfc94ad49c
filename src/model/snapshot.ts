/** A snapshot, as its row has it. */
import type { Timestamp } from '../lib/clock.ts';
import type { SnapshotStatus } from './status.ts';
import type { Metadata } from './volume.ts';

export interface Snapshot {
  readonly id: string;
  readonly projectId: string;
  /** Null: nobody knows any more. */
  readonly userId: string | null;
  readonly volumeId: string;
  readonly volumeTypeId: string;
  /** Size of the volume when it was taken, or of the file taken over, GiB. */
  readonly volumeSizeGiB: number;
  readonly name: string | null;
  readonly description: string | null;
  readonly status: SnapshotStatus;
  /** `0%` … `100%` */
  readonly progress: string;
  readonly groupSnapshotId: string | null;
  readonly usesQuota: boolean;
  readonly encryptionKeyId: string | null;
  readonly providerLocation: string | null;
  readonly providerId: string | null;
  readonly managedRef: Metadata | null;
  readonly metadata: Metadata;
  readonly imageMetadata: Metadata | null;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp | null;
  /** Rises with every change. */
  readonly revision: number;
}

/** How a driver is told of it. Never of a migrating volume, whose name on the backend is about to change. */
export const snapshotRefOf = (
  { id, volumeId, volumeSizeGiB: sizeGiB }: Pick<Snapshot, 'id' | 'volumeId' | 'volumeSizeGiB'>,
  { nameId: volumeNameId }: { readonly nameId: string | null },
) => ({ id, volumeId, volumeNameId, sizeGiB });

/** A row to be made; what is not said is null, `0%` or empty, and it uses quota. */
export type NewSnapshot = Pick<
  Snapshot,
  'id' | 'projectId' | 'userId' | 'volumeId' | 'volumeTypeId' | 'volumeSizeGiB' | 'status'
> &
  Partial<Omit<Snapshot, 'updatedAt' | 'revision'>>;

export type SnapshotPatch = Partial<Omit<Snapshot, 'id' | 'createdAt' | 'updatedAt' | 'revision'>>;
