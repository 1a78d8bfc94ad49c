/** What callers ask for when a test does not say more. */
import type { CreateBackupRequest } from '../../src/commands/backups/create-backup.ts';
import type { CreateSnapshotRequest } from '../../src/commands/snapshots/create-snapshot.ts';
import type { ManageSnapshotRequest } from '../../src/commands/snapshots/manage-snapshot.ts';
import type { CreateVolumeRequest } from '../../src/commands/volumes/create-volume.ts';
import type { ManageVolumeRequest } from '../../src/commands/volumes/manage-volume.ts';
import type { UploadRequest } from '../../src/commands/volumes/upload-volume.ts';

export const volumeRequest = (request: Partial<CreateVolumeRequest> = {}): CreateVolumeRequest => ({
  name: 'rock',
  description: null,
  sizeGiB: 1,
  availabilityZone: null,
  volumeType: null,
  sourceVolumeId: null,
  snapshotId: null,
  groupId: null,
  backupId: null,
  imageId: null,
  serverImages: false,
  metadata: {},
  hints: undefined,
  demand: () => undefined,
  ...request,
});

export const snapshotRequest = (
  volumeId: string,
  request: Partial<CreateSnapshotRequest> = {},
): CreateSnapshotRequest => ({
  volumeId,
  name: 'shot',
  description: null,
  force: false,
  metadata: {},
  ...request,
});

export const manageVolumeRequest = (name: string, request: Partial<ManageVolumeRequest> = {}): ManageVolumeRequest => ({
  host: 'node@alpha#alpha',
  ref: { 'source-name': name },
  name: 'found',
  description: null,
  volumeType: null,
  metadata: {},
  availabilityZone: null,
  bootable: false,
  ...request,
});

export const manageSnapshotRequest = (volumeId: string, name: string): ManageSnapshotRequest => ({
  volumeId,
  ref: { 'source-name': name },
  name: 'found',
  description: null,
  metadata: {},
});

export const uploadRequest = (request: Partial<UploadRequest> = {}): UploadRequest => ({
  name: 'picture',
  diskFormat: 'raw',
  containerFormat: 'bare',
  visibility: null,
  protected: false,
  force: false,
  ...request,
});

export const backupRequest = (volumeId: string, request: Partial<CreateBackupRequest> = {}): CreateBackupRequest => ({
  volumeId,
  snapshotId: null,
  name: 'nightly',
  description: null,
  container: null,
  incremental: false,
  force: false,
  metadata: {},
  availabilityZone: null,
  ...request,
});
