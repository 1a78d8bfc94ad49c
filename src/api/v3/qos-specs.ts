/**
 * `qos-specs`: limits on what volumes of a type take of their backend or host. Clients associate and disassociate types by a GET.
 */

import {
  associateQosSpecs,
  createQosSpecs,
  deleteQosKeys,
  deleteQosSpecs,
  disassociateQosSpecs,
  disassociateQosSpecsFromAll,
  updateQosSpecs,
} from '../../commands/types/qos-specs.ts';
import { getQosSpecs, listQosSpecs, type QosSpecsField, typesOfQosSpecs } from '../../db/qos-specs.ts';
import { Type } from '../../lib/schema.ts';
import { InvalidInput } from '../../model/errors.ts';
import { QOS_CONSUMERS, type QosConsumer, type QosSpecs } from '../../model/qos-specs.ts';
import { CLOSED, NotBlank255, Nullable, Text255 } from '../body.ts';
import { type FilterTable, filtersOf } from '../filters.ts';
import { METADATA_KEY, QosSpecsBody } from '../metadata-bodies.ts';
import { nextLinks, pageOf } from '../page.ts';
import { queryBoolean } from '../query.ts';
import { type ApiCall, route } from '../route.ts';

const Consumer = Type.Enum([...QOS_CONSUMERS]);

/** Beside the name and the consumer stand the specs themselves. */
const CreateBody = Type.Object(
  {
    qos_specs: Type.Object(
      { name: NotBlank255, consumer: Type.Optional(Consumer) },
      { ...CLOSED, patternProperties: { [METADATA_KEY]: Nullable(Text255) } },
    ),
  },
  CLOSED,
);

const UpdateBody = Type.Object({ qos_specs: QosSpecsBody }, CLOSED);

const KeysBody = Type.Object({ keys: Type.Array(Text255, { minItems: 1 }) }, CLOSED);

export const QOS_SPECS_FILTERS: FilterTable<QosSpecsField> = {
  id: { field: 'id', as: 'word' },
  name: { field: 'name', as: 'text' },
  consumer: { field: 'consumer', as: 'word' },
};

const SORT_KEYS: Readonly<Record<string, QosSpecsField>> = {
  id: 'id',
  name: 'name',
  consumer: 'consumer',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
};

const one = '/qos-specs/:id';

export const qosSpecs = [
  route({
    method: 'GET',
    path: '/qos-specs',
    policy: 'volume_extension:qos_specs_manage:get_all',
    async handle(call) {
      const page = pageOf(call, SORT_KEYS);
      const filters = filtersOf(call, 'qos_specs', QOS_SPECS_FILTERS);
      const none = filters === undefined || page.limit === 0;
      const found = none ? [] : await listQosSpecs(call.desk.db.read, { ...page, filters });
      const links = nextLinks(call, '/qos-specs', page, { length: found.length, last: found.at(-1)?.id });
      return { qos_specs: found.map(fields), ...(links.length > 0 && { qos_specs_links: links }) };
    },
  }),

  route({
    method: 'POST',
    path: '/qos-specs',
    policy: 'volume_extension:qos_specs_manage:create',
    body: CreateBody,
    async handle(call) {
      const { name, consumer = 'back-end', ...specs } = call.body.qos_specs;
      return view(call, await createQosSpecs(call.desk, call.caller, { name: name.trim(), consumer, specs }));
    },
  }),

  route({
    method: 'GET',
    path: one,
    policy: 'volume_extension:qos_specs_manage:get',
    handle: async (call) => view(call, await getQosSpecs(call.desk.db.read, call.params.id)),
  }),

  route({
    method: 'PUT',
    path: one,
    policy: 'volume_extension:qos_specs_manage:update',
    body: UpdateBody,
    async handle({ desk, caller, params, body }) {
      const { name, consumer, ...specs } = body.qos_specs as QosSpecs['specs'];
      if (name !== undefined) throw new InvalidInput('QoS specs keep their name.');
      const changed = consumer === undefined ? {} : { consumer: consumerIn(consumer) };
      await updateQosSpecs(desk, caller, params.id, { ...changed, specs });
      return body;
    },
  }),

  route({
    method: 'DELETE',
    path: one,
    policy: 'volume_extension:qos_specs_manage:delete',
    status: 202,
    async handle({ desk, caller, params, query }) {
      await deleteQosSpecs(desk, caller, params.id, { force: queryBoolean(query, 'force') });
      return undefined;
    },
  }),

  route({
    method: 'PUT',
    path: `${one}/delete_keys`,
    policy: 'volume_extension:qos_specs_manage:delete',
    status: 202,
    body: KeysBody,
    async handle({ desk, caller, params, body }) {
      await deleteQosKeys(desk, caller, params.id, body.keys);
      return undefined;
    },
  }),

  route({
    method: 'GET',
    path: `${one}/associations`,
    policy: 'volume_extension:qos_specs_manage:get_all',
    async handle({ desk: { db }, params }) {
      const { id } = await getQosSpecs(db.read, params.id);
      const types = await typesOfQosSpecs(db.read, id);
      return { qos_associations: types.map((type) => ({ association_type: 'volume_type', ...type })) };
    },
  }),

  route({
    method: 'GET',
    path: `${one}/associate`,
    policy: 'volume_extension:qos_specs_manage:update',
    status: 202,
    async handle(call) {
      await associateQosSpecs(call.desk, call.caller, call.params.id, typeIn(call));
      return undefined;
    },
  }),

  route({
    method: 'GET',
    path: `${one}/disassociate`,
    policy: 'volume_extension:qos_specs_manage:update',
    status: 202,
    async handle(call) {
      await disassociateQosSpecs(call.desk, call.caller, call.params.id, typeIn(call));
      return undefined;
    },
  }),

  route({
    method: 'GET',
    path: `${one}/disassociate_all`,
    policy: 'volume_extension:qos_specs_manage:update',
    status: 202,
    async handle({ desk, caller, params }) {
      await disassociateQosSpecsFromAll(desk, caller, params.id);
      return undefined;
    },
  }),
];

function consumerIn(text: string | null): QosConsumer {
  const consumer = QOS_CONSUMERS.find((each) => each === text);
  if (consumer === undefined) throw new InvalidInput(`A consumer is one of ${QOS_CONSUMERS.join(', ')}.`);
  return consumer;
}

function typeIn({ query }: Pick<ApiCall, 'query'>): string {
  const id = query.get('vol_type_id');
  if (!id) throw new InvalidInput('The query must name a volume type: vol_type_id.');
  return id;
}

const fields = ({ id, name, consumer, specs }: QosSpecs): object => ({ id, name, consumer, specs });

const view = ({ links }: ApiCall, specs: QosSpecs): object => ({
  qos_specs: fields(specs),
  links: [
    { rel: 'self', href: `${links.prefix}/qos-specs/${specs.id}` },
    { rel: 'bookmark', href: `${links.bookmark}/qos-specs/${specs.id}` },
  ],
});
