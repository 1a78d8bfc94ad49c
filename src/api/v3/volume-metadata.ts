/** `volumes/{id}/metadata`. */
import { volumeFor } from '../../commands/find.ts';
import { setVolumeMetadata } from '../../commands/volumes/set-volume-metadata.ts';
import { metadataRoutes } from './metadata.ts';

export const volumeMetadata = metadataRoutes({
  resources: 'volumes',
  policy: {
    get: 'volume:get_volume_metadata',
    create: 'volume:create_volume_metadata',
    update: 'volume:update_volume_metadata',
    delete: 'volume:delete_volume_metadata',
  },
  conditional: true,
  get: async (desk, caller, id) => (await volumeFor(desk.db.read, caller, id)).metadata,
  set: setVolumeMetadata,
});
