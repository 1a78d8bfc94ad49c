/** `types/{id}/extra_specs`: what a volume type asks of its backends. */

import { volumeTypeFor } from '../../commands/find.ts';
import { setExtraSpecs } from '../../commands/types/set-extra-specs.ts';
import { Type } from '../../lib/schema.ts';
import { MetadataKeyNotFound } from '../../model/errors.ts';
import type { VolumeType } from '../../model/volume-type.ts';
import { CLOSED } from '../body.ts';
import { checkItemKey, SpecsBody, SpecsItem } from '../metadata-bodies.ts';
import { type ApiCall, route } from '../route.ts';

type ExtraSpecs = VolumeType['extraSpecs'];

/** The others tell what the site is built of. */
const SHOWN_TO_ALL: readonly string[] = ['multiattach', 'RESKEY:availability_zones', 'replication_enabled'];

export function extraSpecsShown({ extraSpecs }: VolumeType, { may }: Pick<ApiCall, 'may'>): ExtraSpecs {
  if (may('volume_extension:types_extra_specs:read_sensitive')) return extraSpecs;
  return Object.fromEntries(Object.entries(extraSpecs).filter(([key]) => SHOWN_TO_ALL.includes(key)));
}

const path = '/types/:id/extra_specs';

export const extraSpecs = [
  route({
    method: 'GET',
    path,
    policy: 'volume_extension:types_extra_specs:index',
    async handle(call) {
      const type = await volumeTypeFor(call.desk.db.read, call.caller, call.params.id);
      return { extra_specs: extraSpecsShown(type, call) };
    },
  }),

  route({
    method: 'POST',
    path,
    policy: 'volume_extension:types_extra_specs:create',
    body: Type.Object({ extra_specs: SpecsBody }, CLOSED),
    async handle({ desk, caller, params, body }) {
      const metadata = body.extra_specs as ExtraSpecs;
      await setExtraSpecs(desk, caller, params.id, { is: 'merge', metadata });
      return { extra_specs: metadata };
    },
  }),

  route({
    method: 'GET',
    path: `${path}/:key`,
    policy: 'volume_extension:types_extra_specs:show',
    async handle(call) {
      const { id, key } = call.params;
      const type = await volumeTypeFor(call.desk.db.read, call.caller, id);
      const specs = extraSpecsShown(type, call);
      if (!Object.hasOwn(specs, key))
        throw new MetadataKeyNotFound(`Volume type ${type.name} has no extra spec ${key}.`);
      return { [key]: specs[key] };
    },
  }),

  route({
    method: 'PUT',
    path: `${path}/:key`,
    policy: 'volume_extension:types_extra_specs:update',
    body: SpecsItem,
    async handle({ desk, caller, params: { id, key }, body }) {
      const metadata = body as ExtraSpecs;
      checkItemKey(metadata, key);
      await setExtraSpecs(desk, caller, id, { is: 'merge', metadata });
      return metadata;
    },
  }),

  route({
    method: 'DELETE',
    path: `${path}/:key`,
    policy: 'volume_extension:types_extra_specs:delete',
    status: 202,
    async handle({ desk, caller, params: { id, key } }) {
      await setExtraSpecs(desk, caller, id, { is: 'remove', key });
      return undefined;
    },
  }),
];
