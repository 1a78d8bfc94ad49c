/** `volumes/{id}/encryption`: what a host must know to open an encrypted volume. Nothing, of one that is not. */

import { volumeFor } from '../../commands/find.ts';
import { findTypeEncryption } from '../../db/type-encryption.ts';
import { MetadataKeyNotFound } from '../../model/errors.ts';
import { bytesOf } from '../exchange.ts';
import { type ApiCall, route } from '../route.ts';

const policy = 'volume_extension:volume_encryption_metadata';

export const volumeEncryption = [
  route({ method: 'GET', path: '/volumes/:id/encryption', policy, handle: encryptionOf }),

  route({
    method: 'GET',
    path: '/volumes/:id/encryption/:key',
    policy,
    async handle(call) {
      const { id, key } = call.params;
      const encryption = await encryptionOf(call);
      if (!Object.hasOwn(encryption, key))
        throw new MetadataKeyNotFound(`The encryption of volume ${id} has no ${key}.`);
      // The only answer of the API that is a plain value.
      call.header('content-type', 'text/plain; charset=utf-8');
      return bytesOf(String(encryption[key] ?? ''));
    },
  }),
];

type Shown = Readonly<Record<string, string | number | null>>;

async function encryptionOf({ desk: { db }, caller, params: { id } }: ApiCall<unknown, 'id'>): Promise<Shown> {
  const volume = await volumeFor(db.read, caller, id);
  if (volume.encryptionKeyId === null) return {};
  const encryption = await findTypeEncryption(db.read, volume.volumeTypeId);
  return {
    encryption_key_id: volume.encryptionKeyId,
    control_location: encryption?.controlLocation ?? null,
    cipher: encryption?.cipher ?? null,
    key_size: encryption?.keySize ?? null,
    provider: encryption?.provider ?? null,
  };
}
