/** Every flow this version knows, old versions included while any of them may be in flight. */
import type { AnyFlow } from '../engine/flow.ts';
import { createSnapshot } from './create-snapshot.ts';
import { createVolume, createVolumeV1 } from './create-volume.ts';
import { deleteSnapshot } from './delete-snapshot.ts';
import { deleteVolume } from './delete-volume.ts';
import { extendVolume } from './extend-volume.ts';
import { initializeConnection } from './initialize-connection.ts';
import { manageExisting } from './manage-existing.ts';
import { manageExistingSnapshot } from './manage-existing-snapshot.ts';
import { terminateConnection } from './terminate-connection.ts';
import { unmanageSnapshot } from './unmanage-snapshot.ts';
import { unmanageVolume } from './unmanage-volume.ts';

export const FLOWS: readonly AnyFlow[] = [
  createVolume,
  createVolumeV1,
  deleteVolume,
  extendVolume,
  manageExisting,
  unmanageVolume,
  createSnapshot,
  deleteSnapshot,
  manageExistingSnapshot,
  unmanageSnapshot,
  initializeConnection,
  terminateConnection,
];
