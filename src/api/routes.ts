/** Every route there is. */
import type { Route } from './route.ts';
import { manageable } from './v3/manageable.ts';
import { snapshotActions } from './v3/snapshot-actions.ts';
import { snapshotMetadata } from './v3/snapshot-metadata.ts';
import { snapshots } from './v3/snapshots.ts';
import { volumeActions } from './v3/volume-actions.ts';
import { volumeMetadata } from './v3/volume-metadata.ts';
import { volumes } from './v3/volumes.ts';

export const routes: readonly Route[] = [
  ...volumes,
  ...volumeMetadata,
  ...volumeActions,
  ...snapshots,
  ...snapshotMetadata,
  ...snapshotActions,
  ...manageable,
];
