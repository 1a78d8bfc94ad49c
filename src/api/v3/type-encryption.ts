/**
 * `types/{id}/encryption`: how the volumes of a type are to be encrypted. Clients put anything they like where the id of the
 * encryption stands in the path (`provider`, mostly), and a type has only one, so that part is not looked at.
 */

import {
  createTypeEncryption,
  deleteTypeEncryption,
  updateTypeEncryption,
} from '../../commands/types/change-type-encryption.ts';
import { findTypeEncryption } from '../../db/type-encryption.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { Type } from '../../lib/schema.ts';
import { TypeEncryptionNotFound } from '../../model/errors.ts';
import { CONTROL_LOCATIONS, type TypeEncryption } from '../../model/type-encryption.ts';
import { CLOSED, Maybe, NotBlank255, Text255 } from '../body.ts';
import { type ApiCall, route } from '../route.ts';

const ControlLocation = Type.Enum([...CONTROL_LOCATIONS]);
const KeySize = Type.Union([
  Type.Integer({ minimum: 0, maximum: 2_147_483_647 }),
  Type.String({ pattern: '^[0-9]{1,9}$' }),
]);
const REST = { cipher: Maybe(Text255), key_size: Maybe(KeySize) } as const;

const CreateBody = Type.Object(
  { encryption: Type.Object({ provider: NotBlank255, control_location: ControlLocation, ...REST }, CLOSED) },
  CLOSED,
);

const UpdateBody = Type.Object(
  {
    encryption: Type.Object(
      { provider: Type.Optional(NotBlank255), control_location: Type.Optional(ControlLocation), ...REST },
      CLOSED,
    ),
  },
  CLOSED,
);

const all = '/types/:id/encryption';
const one = '/types/:id/encryption/:key';

export const typeEncryption = [
  route({
    method: 'GET',
    path: all,
    policy: 'volume_extension:volume_type_encryption:get',
    handle: async (call) => (await shown(call)) ?? {},
  }),

  route({
    method: 'POST',
    path: all,
    policy: 'volume_extension:volume_type_encryption:create',
    body: CreateBody,
    async handle({ desk, caller, params, body: { encryption } }) {
      const made = await createTypeEncryption(desk, caller, params.id, {
        provider: encryption.provider,
        controlLocation: encryption.control_location,
        cipher: encryption.cipher ?? null,
        keySize: bits(encryption.key_size),
      });
      const { created_at, updated_at, deleted, deleted_at, ...rest } = view(made);
      return { encryption: rest };
    },
  }),

  route({
    method: 'GET',
    path: one,
    policy: 'volume_extension:volume_type_encryption:get',
    async handle(call) {
      const { key } = call.params;
      const encryption = await shown(call);
      if (encryption === undefined || !Object.hasOwn(encryption, key))
        throw new TypeEncryptionNotFound(`The encryption of volume type ${call.params.id} has no ${key}.`);
      return { [key]: encryption[key as keyof typeof encryption] };
    },
  }),

  route({
    method: 'PUT',
    path: one,
    policy: 'volume_extension:volume_type_encryption:update',
    body: UpdateBody,
    async handle({ desk, caller, params, body }) {
      const { provider, control_location: controlLocation, cipher, key_size: keySize } = body.encryption;
      await updateTypeEncryption(desk, caller, params.id, {
        ...(provider !== undefined && { provider }),
        ...(controlLocation !== undefined && { controlLocation }),
        ...(cipher !== undefined && { cipher }),
        ...(keySize !== undefined && { keySize: bits(keySize) }),
      });
      return body;
    },
  }),

  route({
    method: 'DELETE',
    path: one,
    policy: 'volume_extension:volume_type_encryption:delete',
    status: 202,
    async handle({ desk, caller, params }) {
      await deleteTypeEncryption(desk, caller, params.id);
      return undefined;
    },
  }),
];

const bits = (size: number | string | null | undefined): number | null =>
  size === undefined || size === null ? null : Number(size);

async function shown({ desk: { db }, params: { id } }: ApiCall<unknown, 'id'>) {
  const type = await getVolumeType(db.read, id);
  const found = await findTypeEncryption(db.read, type.id);
  return found && view(found);
}

const view = (encryption: TypeEncryption) => ({
  volume_type_id: encryption.volumeTypeId,
  encryption_id: encryption.encryptionId,
  provider: encryption.provider,
  control_location: encryption.controlLocation,
  cipher: encryption.cipher,
  key_size: encryption.keySize,
  created_at: encryption.createdAt,
  updated_at: encryption.updatedAt,
  deleted: false,
  deleted_at: null,
});
