/** The six ways to a resource's metadata, the same for volumes and for snapshots. */

import type { MetadataChange, Unchanged } from '../../commands/change-metadata.ts';
import type { Desk } from '../../commands/desk.ts';
import { Type } from '../../lib/schema.ts';
import type { Caller } from '../../model/caller.ts';
import { MetadataKeyNotFound } from '../../model/errors.ts';
import type { Metadata } from '../../model/volume.ts';
import { CLOSED } from '../body.ts';
import { etagOf, isNamed } from '../etag.ts';
import { checkItemKey, MetadataBody, MetadataItem } from '../metadata-bodies.ts';
import { METADATA_ETAG } from '../microversion.ts';
import { type ApiCall, type Route, route } from '../route.ts';

export interface MetadataOf {
  readonly resources: 'volumes' | 'snapshots';
  readonly policy: { readonly get: string; readonly create: string; readonly update: string; readonly delete: string };
  /** Whether changes may name what they found (3.15). */
  readonly conditional: boolean;
  get(desk: Desk, caller: Caller, id: string): Promise<Metadata>;
  set(desk: Desk, caller: Caller, id: string, change: MetadataChange, unchanged?: Unchanged): Promise<Metadata>;
}

const AllBody = Type.Object({ metadata: MetadataBody }, CLOSED);
const ItemBody = Type.Object({ meta: MetadataItem }, CLOSED);

export function metadataRoutes({ resources, policy, conditional, get, set }: MetadataOf): readonly Route[] {
  const path = `/${resources}/:id/metadata` as const;
  const withEtag = ({ version }: ApiCall): boolean => conditional && version >= METADATA_ETAG;

  function condition(call: ApiCall): Unchanged | undefined {
    const header = call.headers['if-match'];
    if (header === undefined || !withEtag(call)) return undefined;
    return (metadata) => isNamed(header, etagOf({ metadata }));
  }

  const change = (call: ApiCall, id: string, wanted: MetadataChange): Promise<Metadata> =>
    set(call.desk, call.caller, id, wanted, condition(call));

  return [
    route({
      method: 'GET',
      path,
      policy: policy.get,
      async handle(call) {
        const metadata = await get(call.desk, call.caller, call.params.id);
        if (withEtag(call)) call.header('etag', etagOf({ metadata }));
        return { metadata };
      },
    }),

    route({
      method: 'POST',
      path,
      policy: policy.create,
      body: AllBody,
      async handle(call) {
        const metadata = call.body.metadata as Metadata;
        return { metadata: await change(call, call.params.id, { is: 'merge', metadata }) };
      },
    }),

    route({
      method: 'PUT',
      path,
      policy: policy.update,
      body: AllBody,
      async handle(call) {
        const metadata = call.body.metadata as Metadata;
        return { metadata: await change(call, call.params.id, { is: 'replace', metadata }) };
      },
    }),

    route({
      method: 'GET',
      path: `${path}/:key`,
      policy: policy.get,
      async handle({ desk, caller, params: { id, key } }) {
        const metadata = await get(desk, caller, id);
        if (!Object.hasOwn(metadata, key)) throw new MetadataKeyNotFound(`Metadata has no item with key ${key}.`);
        return { meta: Object.fromEntries([[key, metadata[key]]]) };
      },
    }),

    route({
      method: 'PUT',
      path: `${path}/:key`,
      policy: policy.update,
      body: ItemBody,
      async handle(call) {
        const { id, key } = call.params;
        const meta = call.body.meta as Metadata;
        checkItemKey(meta, key);
        await change(call, id, { is: 'merge', metadata: meta });
        return { meta };
      },
    }),

    route({
      method: 'DELETE',
      path: `${path}/:key`,
      policy: policy.delete,
      async handle(call) {
        const { id, key } = call.params;
        await change(call, id, { is: 'remove', key });
        return undefined;
      },
    }),
  ];
}
