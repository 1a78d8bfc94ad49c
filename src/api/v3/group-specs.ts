/** `group_types/{id}/group_specs`: what a type of groups asks of the backend. */

import { setGroupSpecs } from '../../commands/types/group-types.ts';
import { getGroupType } from '../../db/group-types.ts';
import { Type } from '../../lib/schema.ts';
import { MetadataKeyNotFound } from '../../model/errors.ts';
import type { GroupType } from '../../model/group-type.ts';
import { CLOSED } from '../body.ts';
import { checkItemKey, SpecsBody, SpecsItem } from '../metadata-bodies.ts';
import { GROUP_TYPES } from '../microversion.ts';
import { route } from '../route.ts';

const all = { path: '/group_types/:id/group_specs', since: GROUP_TYPES } as const;
const one = { path: '/group_types/:id/group_specs/:key', since: GROUP_TYPES } as const;

type GroupSpecs = GroupType['groupSpecs'];

export const groupSpecs = [
  route({
    ...all,
    method: 'GET',
    policy: 'group:group_types_specs:get_all',
    async handle({ desk: { db }, params }) {
      return { group_specs: (await getGroupType(db.read, params.id)).groupSpecs };
    },
  }),

  route({
    ...all,
    method: 'POST',
    policy: 'group:group_types_specs:create',
    status: 202,
    body: Type.Object({ group_specs: SpecsBody }, CLOSED),
    async handle({ desk, caller, params, body }) {
      const metadata = body.group_specs as GroupSpecs;
      await setGroupSpecs(desk, caller, params.id, { is: 'merge', metadata });
      return { group_specs: metadata };
    },
  }),

  route({
    ...one,
    method: 'GET',
    policy: 'group:group_types_specs:get',
    async handle({ desk: { db }, params: { id, key } }) {
      const { groupSpecs: specs, name } = await getGroupType(db.read, id);
      if (!Object.hasOwn(specs, key)) throw new MetadataKeyNotFound(`Group type ${name} has no group spec ${key}.`);
      return { [key]: specs[key] };
    },
  }),

  route({
    ...one,
    method: 'PUT',
    policy: 'group:group_types_specs:update',
    body: SpecsItem,
    async handle({ desk, caller, params: { id, key }, body }) {
      const metadata = body as GroupSpecs;
      checkItemKey(metadata, key);
      await setGroupSpecs(desk, caller, id, { is: 'merge', metadata });
      return metadata;
    },
  }),

  route({
    ...one,
    method: 'DELETE',
    policy: 'group:group_types_specs:delete',
    status: 202,
    async handle({ desk, caller, params: { id, key } }) {
      await setGroupSpecs(desk, caller, id, { is: 'remove', key });
      return undefined;
    },
  }),
];
