/** `types`: what kinds of volumes there are. */

import { volumeTypeFor } from '../../commands/find.ts';
import { createVolumeType, deleteVolumeType, updateVolumeType } from '../../commands/types/volume-types.ts';
import { defaultTypeFor } from '../../commands/volumes/volume-choices.ts';
import { listVolumeTypes, type VolumeTypeField, type VolumeTypeQuery } from '../../db/volume-types.ts';
import { Type } from '../../lib/schema.ts';
import type { Specs } from '../../model/specs.ts';
import type { VolumeType } from '../../model/volume-type.ts';
import { CLOSED, LooseBoolean, Maybe, NotBlank255, Text255, trimmed } from '../body.ts';
import { type FilterTable, filtersOf } from '../filters.ts';
import { NewTypeSpecs } from '../metadata-bodies.ts';
import { TYPES_BY_EXTRA_SPECS } from '../microversion.ts';
import { nextLinks, pageOf } from '../page.ts';
import { readBoolean } from '../query.ts';
import { type ApiCall, route } from '../route.ts';
import { extraSpecsShown } from './extra-specs.ts';
import { TYPE_SORT_KEYS, TypeUpdate, typePatch } from './type-body.ts';

const CreateBody = Type.Object(
  {
    volume_type: Type.Object(
      {
        name: NotBlank255,
        description: Maybe(Text255),
        'os-volume-type-access:is_public': Maybe(LooseBoolean),
        extra_specs: NewTypeSpecs,
      },
      CLOSED,
    ),
  },
  CLOSED,
);

const UpdateBody = Type.Object({ volume_type: TypeUpdate }, CLOSED);

export const VOLUME_TYPE_FILTERS: FilterTable<VolumeTypeField> = {
  id: { field: 'id', as: 'word' },
  name: { field: 'name', as: 'text' },
  description: { field: 'description', as: 'text' },
  qos_specs_id: { field: 'qosSpecsId', as: 'word' },
  created_at: { field: 'createdAt', as: 'time' },
  updated_at: { field: 'updatedAt', as: 'time' },
  extra_specs: { field: 'extraSpecs', as: 'entries', since: TYPES_BY_EXTRA_SPECS },
  // Who asks counts too: `visibility`.
  is_public: { field: 'isPublic', as: () => [] },
};

export const volumeTypes = [
  route({
    method: 'GET',
    path: '/types',
    policy: 'volume_extension:type_get_all',
    async handle(call) {
      const page = pageOf(call, TYPE_SORT_KEYS);
      const filters = filtersOf(call, 'volume_type', VOLUME_TYPE_FILTERS);
      const { filters: visible = [], ...visibility } = visibilityOf(call);
      const query = filters && { ...page, ...visibility, filters: [...filters, ...visible] };
      const types = query === undefined || page.limit === 0 ? [] : await listVolumeTypes(call.desk.db.read, query);
      const links = nextLinks(call, '/types', page, { length: types.length, last: types.at(-1)?.id });
      return {
        volume_types: types.map((type) => shown(type, call)),
        ...(links.length > 0 && { volume_type_links: links }),
      };
    },
  }),

  route({
    method: 'POST',
    path: '/types',
    policy: 'volume_extension:type_create',
    body: CreateBody,
    async handle(call) {
      const { volume_type: request } = call.body;
      const isPublic = request['os-volume-type-access:is_public'] ?? true;
      const type = await createVolumeType(call.desk, call.caller, {
        name: request.name.trim(),
        description: trimmed(request.description),
        isPublic: readBoolean(isPublic, 'os-volume-type-access:is_public'),
        extraSpecs: (request.extra_specs ?? {}) as Specs,
      });
      return { volume_type: { ...fields(type, call), 'os-volume-type-access:is_public': type.isPublic } };
    },
  }),

  route({
    method: 'GET',
    path: '/types/:id',
    policy: 'volume_extension:type_get',
    async handle(call) {
      const { params, desk, caller } = call;
      const byDefault = params.id === 'default';
      const type = byDefault
        ? await defaultTypeFor(desk.db.read, caller.projectId, desk.config)
        : await typeNamed(call);
      return { volume_type: shown(type, call) };
    },
  }),

  route({
    method: 'PUT',
    path: '/types/:id',
    policy: 'volume_extension:type_update',
    body: UpdateBody,
    async handle(call) {
      const patch = typePatch(call.body.volume_type);
      const type = await updateVolumeType(call.desk, call.caller, call.params.id, patch);
      return { volume_type: fields(type, call) };
    },
  }),

  route({
    method: 'DELETE',
    path: '/types/:id',
    policy: 'volume_extension:type_delete',
    status: 202,
    async handle({ desk, caller, params }) {
      await deleteVolumeType(desk, caller, params.id);
      return undefined;
    },
  }),
];

const typeNamed = ({ desk, caller, params }: ApiCall<unknown, 'id'>): Promise<VolumeType> =>
  volumeTypeFor(desk.db.read, caller, params.id);

/** Public types, and private ones that the project may use; an administrator may ask for others. */
function visibilityOf({ caller, query }: ApiCall): Pick<VolumeTypeQuery, 'visibleTo' | 'filters'> {
  const text = caller.isAdmin ? (query.get('is_public') ?? 'true') : 'true';
  if (/^none$/i.test(text.trim())) return {};
  if (readBoolean(text, 'is_public')) return { visibleTo: caller.projectId };
  return { filters: [{ is: 'equal', field: 'isPublic', value: false }] };
}

/** What every answer shows of a type. */
function fields(type: VolumeType, call: ApiCall): object {
  return {
    id: type.id,
    name: type.name,
    description: type.description,
    is_public: type.isPublic,
    ...(call.may('volume_extension:access_types_extra_specs') && { extra_specs: extraSpecsShown(type, call) }),
  };
}

const shown = (type: VolumeType, call: ApiCall): object => ({
  ...fields(type, call),
  ...(call.may('volume_extension:volume_type_access') && { 'os-volume-type-access:is_public': type.isPublic }),
  ...(call.may('volume_extension:access_types_qos_specs_id') && { qos_specs_id: type.qosSpecsId }),
});
