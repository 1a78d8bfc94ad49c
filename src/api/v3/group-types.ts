/** `group_types`: what kinds of groups of volumes there are (3.11). */

import { groupTypeFor } from '../../commands/find.ts';
import { createGroupType, deleteGroupType, updateGroupType } from '../../commands/types/group-types.ts';
import { findGroupTypeByName, type GroupTypeField, type GroupTypeQuery, listGroupTypes } from '../../db/group-types.ts';
import { Type } from '../../lib/schema.ts';
import { GroupTypeNotFound } from '../../model/errors.ts';
import type { GroupType } from '../../model/group-type.ts';
import type { Specs } from '../../model/specs.ts';
import { CLOSED, LooseBoolean, Maybe, NotBlank255, Text255, trimmed } from '../body.ts';
import { type FilterTable, filtersOf } from '../filters.ts';
import { NewGroupTypeSpecs } from '../metadata-bodies.ts';
import { GROUP_TYPES } from '../microversion.ts';
import { nextLinks, pageOf } from '../page.ts';
import { readBoolean } from '../query.ts';
import { type ApiCall, route } from '../route.ts';
import { TYPE_SORT_KEYS, TypeUpdate, typePatch } from './type-body.ts';

const CreateBody = Type.Object(
  {
    group_type: Type.Object(
      {
        name: NotBlank255,
        description: Maybe(Text255),
        is_public: Maybe(LooseBoolean),
        group_specs: NewGroupTypeSpecs,
      },
      CLOSED,
    ),
  },
  CLOSED,
);

const UpdateBody = Type.Object({ group_type: TypeUpdate }, CLOSED);

export const GROUP_TYPE_FILTERS: FilterTable<GroupTypeField> = {
  id: { field: 'id', as: 'word' },
  name: { field: 'name', as: 'text' },
  description: { field: 'description', as: 'text' },
  // Who asks counts too: `visibilityOf`.
  is_public: { field: 'isPublic', as: () => [] },
};

const all = { path: '/group_types', since: GROUP_TYPES } as const;
const one = { path: '/group_types/:id', since: GROUP_TYPES } as const;

export const groupTypes = [
  route({
    ...all,
    method: 'GET',
    policy: '@',
    async handle(call) {
      const page = pageOf(call, TYPE_SORT_KEYS);
      const filters = filtersOf(call, 'group_type', GROUP_TYPE_FILTERS);
      const { filters: ofVisible = [], visibleTo } = visibilityOf(call);
      const query = filters && { ...page, filters: [...filters, ...ofVisible], ...(visibleTo && { visibleTo }) };
      const types = query === undefined || page.limit === 0 ? [] : await listGroupTypes(call.desk.db.read, query);
      const links = nextLinks(call, '/group_types', page, { length: types.length, last: types.at(-1)?.id });
      return {
        group_types: types.map((type) => view(type, call)),
        ...(links.length > 0 && { group_type_links: links }),
      };
    },
  }),

  route({
    ...all,
    method: 'POST',
    policy: 'group:group_types:create',
    status: 202,
    body: CreateBody,
    async handle(call) {
      const { group_type: request } = call.body;
      const type = await createGroupType(call.desk, call.caller, {
        name: request.name.trim(),
        description: trimmed(request.description),
        isPublic: readBoolean(request.is_public ?? true, 'is_public'),
        groupSpecs: (request.group_specs ?? {}) as Specs,
      });
      return { group_type: view(type, call) };
    },
  }),

  route({
    ...one,
    method: 'GET',
    policy: '@',
    async handle(call) {
      const { desk, caller, params } = call;
      const type =
        params.id === 'default' ? await typeByDefault(desk) : await groupTypeFor(desk.db.read, caller, params.id);
      return { group_type: view(type, call) };
    },
  }),

  route({
    ...one,
    method: 'PUT',
    policy: 'group:group_types:update',
    body: UpdateBody,
    async handle(call) {
      const patch = typePatch(call.body.group_type);
      return { group_type: view(await updateGroupType(call.desk, call.caller, call.params.id, patch), call) };
    },
  }),

  route({
    ...one,
    method: 'DELETE',
    policy: 'group:group_types:delete',
    status: 202,
    async handle({ desk, caller, params }) {
      await deleteGroupType(desk, caller, params.id);
      return undefined;
    },
  }),
];

async function typeByDefault({ db, config }: ApiCall['desk']): Promise<GroupType> {
  const name = config.default_group_type;
  const type = name === undefined ? undefined : await findGroupTypeByName(db.read, name);
  if (type === undefined) throw new GroupTypeNotFound('default');
  return type;
}

/** Public types, and private ones that the project has access to; an administrator may ask for others. */
function visibilityOf({ caller, query }: ApiCall): Pick<GroupTypeQuery, 'visibleTo' | 'filters'> {
  const text = caller.isAdmin ? (query.get('is_public') ?? 'true') : 'true';
  if (/^none$/i.test(text.trim())) return {};
  if (readBoolean(text, 'is_public')) return { visibleTo: caller.projectId };
  return { filters: [{ is: 'equal', field: 'isPublic', value: false }] };
}

const view = ({ id, name, description, isPublic, groupSpecs }: GroupType, { may }: Pick<ApiCall, 'may'>): object => ({
  id,
  name,
  description,
  is_public: isPublic,
  ...(may('group:access_group_types_specs') && { group_specs: groupSpecs }),
});
