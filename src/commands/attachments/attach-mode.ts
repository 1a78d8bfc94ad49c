/** The mode of an attachment, `rw` or `ro`: as it is asked for, or as the volume allows. */
import type { AttachMode } from '../../model/attachment.ts';
import { InvalidVolumeAttachMode } from '../../model/errors.ts';
import type { Volume } from '../../model/volume.ts';

/** How a volume may be attached: as it is asked for, or as it can be. */
export function attachModeOf({ id, adminMetadata }: Volume, asked: AttachMode | null): AttachMode {
  const readonly = adminMetadata.readonly === 'True';
  if (readonly && asked === 'rw')
    throw new InvalidVolumeAttachMode(`Volume ${id} is read-only and cannot be attached in mode rw.`);
  return asked ?? (readonly ? 'ro' : 'rw');
}
