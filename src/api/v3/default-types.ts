/**
 * `default-types`: which volume type a project gets when it asks for none (3.62). The project is that of the path's end.
 */

import { setDefaultType, unsetDefaultType } from '../../commands/types/set-default-type.ts';
import { type DefaultType, findDefaultType, listDefaultTypes } from '../../db/default-types.ts';
import { Type } from '../../lib/schema.ts';
import { DefaultTypeNotFound } from '../../model/errors.ts';
import { CLOSED } from '../body.ts';
import { DEFAULT_TYPES } from '../microversion.ts';
import { route } from '../route.ts';

const Body = Type.Object(
  { default_type: Type.Object({ volume_type: Type.String({ minLength: 1, maxLength: 255 }) }, CLOSED) },
  CLOSED,
);

const all = { path: '/default-types', since: DEFAULT_TYPES } as const;
const one = { path: '/default-types/:id', since: DEFAULT_TYPES } as const;

export const defaultTypes = [
  route({
    ...all,
    method: 'GET',
    policy: 'volume_extension:default_get_all',
    handle: async ({ desk: { db } }) => ({ default_types: (await listDefaultTypes(db.read)).map(view) }),
  }),

  route({
    ...one,
    method: 'GET',
    policy: 'volume_extension:default_get',
    async handle({ desk: { db }, params: { id } }) {
      const found = await findDefaultType(db.read, id);
      if (found === undefined) throw new DefaultTypeNotFound(`Project ${id} has no default volume type of its own.`);
      return { default_type: view(found) };
    },
  }),

  route({
    ...one,
    method: 'PUT',
    policy: 'volume_extension:default_set_or_update',
    body: Body,
    async handle({ desk, caller, params: { id }, body }) {
      return { default_type: view(await setDefaultType(desk, caller, id, body.default_type.volume_type)) };
    },
  }),

  route({
    ...one,
    method: 'DELETE',
    policy: 'volume_extension:default_unset',
    status: 204,
    async handle({ desk, params: { id } }) {
      await unsetDefaultType(desk, id);
      return undefined;
    },
  }),
];

const view = ({ projectId, volumeTypeId }: DefaultType): object => ({
  project_id: projectId,
  volume_type_id: volumeTypeId,
});
