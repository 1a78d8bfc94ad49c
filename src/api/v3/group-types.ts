/** `group_types`: what kinds of groups of volumes there are (3.11). */

import { createGroupType } from '../../commands/create-group-type.ts';
import { deleteGroupType } from '../../commands/delete-group-type.ts';
import { groupTypeFor } from '../../commands/find.ts';
import { updateGroupType } from '../../commands/update-group-type.ts';
import { findGroupTypeByName, type GroupTypeField, listGroupTypes } from '../../db/group-types.ts';
import type { Filter } from '../../db/list-query.ts';
import { Type } from '../../lib/schema.ts';
import { GroupTypeNotFound, InvalidInput } from '../../model/errors.ts';
import type { GroupType, GroupTypePatch } from '../../model/group-type.ts';
import { CLOSED, LooseBoolean, Maybe, MetadataKey, Nullable, Text255, trimmed } from '../body.ts';
import { type FilterTable, filtersOf } from '../filters.ts';
import { GROUP_TYPES } from '../microversion.ts';
import { nextLinks, pageOf } from '../page.ts';
import { readBoolean } from '../query.ts';
import { type Call, route } from '../route.ts';

/** Not empty, and more than blanks. */
const TypeName = Type.String({ maxLength: 255, pattern: '\\S' });

const CreateBody = Type.Object(
  {
    group_type: Type.Object(
      {
        name: TypeName,
        description: Maybe(Text255),
        is_public: Maybe(LooseBoolean),
        group_specs: Maybe(Type.Record(MetadataKey, Nullable(Text255), CLOSED)),
      },
      CLOSED,
    ),
  },
  CLOSED,
);

const UpdateBody = Type.Object(
  {
    group_type: Type.Object(
      { name: Maybe(TypeName), description: Maybe(Text255), is_public: Maybe(LooseBoolean) },
      CLOSED,
    ),
  },
  CLOSED,
);

const FILTERS: FilterTable<GroupTypeField> = {
  id: { field: 'id', as: 'text' },
  name: { field: 'name', as: 'text' },
  description: { field: 'description', as: 'text' },
  // Who asks counts too: `visible`.
  is_public: { field: 'isPublic', as: () => [] },
};

const SORT_KEYS: Readonly<Record<string, GroupTypeField>> = {
  id: 'id',
  name: 'name',
  description: 'description',
  is_public: 'isPublic',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
};

const all = { path: '/group_types', since: GROUP_TYPES } as const;
const one = { path: '/group_types/:id', since: GROUP_TYPES } as const;

export const groupTypes = [
  route({
    ...all,
    method: 'GET',
    policy: '@',
    async handle(call) {
      const page = pageOf(call, SORT_KEYS);
      const filters = filtersOf(call, 'group_type', FILTERS);
      const query = filters && { ...page, filters: [...filters, ...visible(call)] };
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
      const { group_type: wish } = call.body;
      const specs = Object.entries(wish.group_specs ?? {});
      const type = await createGroupType(call.desk, call.caller, {
        name: wish.name.trim(),
        description: trimmed(wish.description),
        isPublic: readBoolean(wish.is_public ?? true, 'is_public'),
        groupSpecs: Object.fromEntries(specs.filter((entry): entry is [string, string] => entry[1] !== null)),
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
      const { name, description, is_public: isPublic } = call.body.group_type;
      const patch: GroupTypePatch = {
        ...(name != null && { name: name.trim() }),
        ...(description != null && { description: description.trim() }),
        ...(isPublic != null && { isPublic: readBoolean(isPublic, 'is_public') }),
      };
      if (Object.keys(patch).length === 0)
        throw new InvalidInput('Specify the name, the description, is_public or a combination of them.');
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

async function typeByDefault({ db, config }: Call['desk']): Promise<GroupType> {
  const name = config.default_group_type;
  const type = name === undefined ? undefined : await findGroupTypeByName(db.read, name);
  if (type === undefined) throw new GroupTypeNotFound('default');
  return type;
}

/** Public types; an administrator may ask for others. */
function visible({ caller, query }: Call): readonly Filter<GroupTypeField>[] {
  const text = caller.isAdmin ? (query.get('is_public') ?? 'true') : 'true';
  if (/^none$/i.test(text.trim())) return [];
  return [{ is: 'equal', field: 'isPublic', value: readBoolean(text, 'is_public') }];
}

const view = ({ id, name, description, isPublic, groupSpecs }: GroupType, { may }: Pick<Call, 'may'>): object => ({
  id,
  name,
  description,
  is_public: isPublic,
  ...(may('group:access_group_types_specs') && { group_specs: groupSpecs }),
});
