/** `snapshots/{id}/metadata`. */
import { snapshotFor } from '../../commands/find.ts';
import { setSnapshotMetadata } from '../../commands/snapshots/set-snapshot-metadata.ts';
import { metadataRoutes } from './metadata.ts';

export const snapshotMetadata = metadataRoutes({
  resources: 'snapshots',
  policy: {
    get: 'volume:get_snapshot_metadata',
    create: 'volume:update_snapshot_metadata',
    update: 'volume:update_snapshot_metadata',
    delete: 'volume:delete_snapshot_metadata',
  },
  conditional: false,
  get: async (desk, caller, id) => (await snapshotFor(desk.db.read, caller, id)).metadata,
  set: setSnapshotMetadata,
});
