/** What callers ask for when a test does not say more. */
import type { CreateSnapshotWish } from '../../src/commands/create-snapshot.ts';
import type { CreateVolumeWish } from '../../src/commands/create-volume.ts';
import type { ManageSnapshotWish } from '../../src/commands/manage-snapshot.ts';
import type { ManageVolumeWish } from '../../src/commands/manage-volume.ts';

export const volumeWish = (wish: Partial<CreateVolumeWish> = {}): CreateVolumeWish => ({
  name: 'rock',
  description: null,
  sizeGiB: 1,
  availabilityZone: null,
  volumeType: null,
  sourceVolumeId: null,
  snapshotId: null,
  imageId: null,
  serverImages: false,
  metadata: {},
  hints: undefined,
  demand: () => undefined,
  ...wish,
});

export const snapshotWish = (volumeId: string, wish: Partial<CreateSnapshotWish> = {}): CreateSnapshotWish => ({
  volumeId,
  name: 'shot',
  description: null,
  force: false,
  metadata: {},
  ...wish,
});

export const manageVolumeWish = (name: string, wish: Partial<ManageVolumeWish> = {}): ManageVolumeWish => ({
  host: 'node@alpha#alpha',
  ref: { 'source-name': name },
  name: 'found',
  description: null,
  volumeType: null,
  metadata: {},
  availabilityZone: null,
  bootable: false,
  ...wish,
});

export const manageSnapshotWish = (volumeId: string, name: string): ManageSnapshotWish => ({
  volumeId,
  ref: { 'source-name': name },
  name: 'found',
  description: null,
  metadata: {},
});
