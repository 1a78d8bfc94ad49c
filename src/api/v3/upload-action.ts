/** `POST volumes/{id}/action`: the action that makes an image of a volume. */
import { uploadVolume } from '../../commands/volumes/upload-volume.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { type Static, Type } from '../../lib/schema.ts';
import type { Volume } from '../../model/volume.ts';
import type { VolumeType } from '../../model/volume-type.ts';
import { CLOSED, LooseBoolean } from '../body.ts';
import { UPLOAD_IMAGE_PARAMS } from '../microversion.ts';
import { readBoolean } from '../query.ts';
import { route } from '../route.ts';

/** `force` is for volumes in use, which are refused all the same, as by a Cinder that does not allow it (its default). */
const upload = {
  image_name: Type.String({ minLength: 1, maxLength: 255 }),
  force: Type.Optional(LooseBoolean),
  container_format: Type.Optional(Type.String({ maxLength: 255 })),
  disk_format: Type.Optional(Type.Enum(['raw', 'vmdk', 'vdi', 'qcow2', 'vhd', 'vhdx', 'ploop'])),
};
const Upload = Type.Object(upload, CLOSED);
const UploadWithParams = Type.Object(
  {
    ...upload,
    visibility: Type.Optional(Type.Enum(['community', 'public', 'private', 'shared'])),
    protected: Type.Optional(LooseBoolean),
  },
  CLOSED,
);

export const uploadAction = [
  route({
    method: 'POST',
    path: '/volumes/:id/action',
    action: 'os-volume_upload_image',
    policy: 'volume_extension:volume_actions:upload_image',
    status: 202,
    body: [
      [0, Upload],
      [UPLOAD_IMAGE_PARAMS, UploadWithParams],
    ],
    async handle({ desk, caller, params, body, version, demand }) {
      const force = readBoolean(body.force ?? false, 'force');
      const more =
        version >= UPLOAD_IMAGE_PARAMS ? withParams(body as WithParams) : { visibility: null, protected: false };
      if (more.visibility === 'public') demand('volume_extension:volume_actions:upload_public');
      const asked = {
        name: body.image_name,
        diskFormat: body.disk_format ?? 'raw',
        containerFormat: body.container_format ?? 'bare',
        ...more,
      };
      const { volume, imageId } = await uploadVolume(desk, caller, params.id, { ...asked, force });
      const type = await getVolumeType(desk.db.read, volume.volumeTypeId);
      return {
        'os-volume_upload_image': {
          ...view(volume, type),
          image_id: imageId,
          image_name: asked.name,
          disk_format: asked.diskFormat,
          container_format: asked.containerFormat,
          ...(version >= UPLOAD_IMAGE_PARAMS && more),
        },
      };
    },
  }),
];

type WithParams = Static<typeof UploadWithParams>;

function withParams({ visibility, protected: isProtected }: WithParams) {
  return { visibility: visibility ?? 'private', protected: readBoolean(isProtected ?? false, 'protected') };
}

/** Clients take the type for an object here, and here alone. */
const view = (volume: Volume, { id, name, description, isPublic }: VolumeType) => ({
  id: volume.id,
  updated_at: volume.updatedAt,
  status: 'uploading',
  display_description: volume.description,
  size: volume.sizeGiB,
  volume_type: { id, name, description, is_public: isPublic },
});
