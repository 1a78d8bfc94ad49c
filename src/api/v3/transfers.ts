/**
 * `volume-transfers`, and `os-volume-transfer`, as they were called before 3.55: a volume goes to another project, to a user
 * with the key. The same transfers under both names; only the newer can leave the snapshots behind, and has pages.
 */

import { transferFor } from '../../commands/find.ts';
import { acceptTransfer } from '../../commands/transfers/accept-transfer.ts';
import { createTransfer } from '../../commands/transfers/create-transfer.ts';
import { deleteTransfer } from '../../commands/transfers/delete-transfer.ts';
import type { ListFilter } from '../../db/sql/list-query.ts';
import { listTransfers, type Transfer, type TransferField } from '../../db/transfers.ts';
import { type Static, type TSchema, Type } from '../../lib/schema.ts';
import { CLOSED, LooseBoolean, Maybe, Text255, trimmed, Uuid } from '../body.ts';
import { type FilterTable, filtersOf } from '../filters.ts';
import type { Links } from '../links.ts';
import {
  ENCRYPTED_TRANSFERS,
  OLDEST,
  PAGED_TRANSFERS,
  TRANSFER_HISTORY,
  TRANSFERS_WITH_SNAPSHOTS,
} from '../microversion.ts';
import { nextLinks, type PageQuery, pageOf, projectShown } from '../page.ts';
import { readBoolean } from '../query.ts';
import { type ApiCall, route } from '../route.ts';
import { type Field, Fields } from '../view.ts';

const OLD_PATH = '/os-volume-transfer';
const PATH = '/volume-transfers';
type Path = typeof OLD_PATH | typeof PATH;

const OFFER = { volume_id: Uuid, name: Maybe(Text255) } as const;
const OldCreateBody = Type.Object({ transfer: Type.Object(OFFER, CLOSED) }, CLOSED);
const CreateBody = Type.Object(
  { transfer: Type.Object({ ...OFFER, no_snapshots: Type.Optional(LooseBoolean) }, CLOSED) },
  CLOSED,
);
const AcceptBody = Type.Object(
  { accept: Type.Object({ auth_key: Type.String({ minLength: 1, maxLength: 255 }) }, CLOSED) },
  CLOSED,
);

export const TRANSFER_FILTERS: FilterTable<TransferField> = {
  id: { field: 'id', as: 'word' },
  volume_id: { field: 'volumeId', as: 'word' },
  name: { field: 'name', as: 'text' },
  display_name: { field: 'name', as: 'text' },
  no_snapshots: { field: 'noSnapshots', as: 'boolean' },
  source_project_id: { field: 'projectId', as: 'word' },
  created_at: { field: 'createdAt', as: 'time' },
};

const SORT_KEYS: Readonly<Record<string, TransferField>> = {
  id: 'id',
  volume_id: 'volumeId',
  name: 'name',
  display_name: 'name',
  source_project_id: 'projectId',
  created_at: 'createdAt',
};

interface Viewer {
  readonly path: Path;
  readonly links: Links;
}

const SUMMARY: readonly Field<Transfer, Viewer>[] = [
  [OLDEST, 'id', ({ id }) => id],
  [OLDEST, 'volume_id', ({ volumeId }) => volumeId],
  [OLDEST, 'name', ({ name }) => name],
  [OLDEST, 'links', linksTo],
];
const summary = new Fields(SUMMARY);

/** A transfer that was accepted is gone, so none that is shown was. */
const detail = new Fields<Transfer, Viewer>([
  ...SUMMARY,
  [OLDEST, 'created_at', ({ createdAt }) => createdAt],
  [TRANSFERS_WITH_SNAPSHOTS, 'no_snapshots', ({ noSnapshots }) => noSnapshots],
  [TRANSFER_HISTORY, 'source_project_id', ({ projectId }) => projectId],
  [TRANSFER_HISTORY, 'destination_project_id', () => null],
  [TRANSFER_HISTORY, 'accepted', () => false],
]);

export const transfers = [...transfersAt(OLD_PATH, OldCreateBody), ...transfersAt(PATH, CreateBody)];

/** What a body offers, under either path. */
interface Offer extends Static<typeof OldCreateBody> {
  readonly transfer: Static<typeof CreateBody>['transfer'];
}

function transfersAt<S extends TSchema>(path: Path, createBody: S) {
  const since = path === PATH ? TRANSFERS_WITH_SNAPSHOTS : OLDEST;
  return [
    route({
      method: 'GET',
      path,
      since,
      policy: 'volume:get_all_transfers',
      handle: (call) => list(call, path, path, summary),
    }),

    route({
      method: 'GET',
      path: `${path}/detail`,
      since,
      policy: 'volume:get_all_transfers',
      handle: (call) => list(call, path, `${path}/detail`, detail),
    }),

    route({
      method: 'POST',
      path,
      since,
      policy: 'volume:create_transfer',
      status: 202,
      body: createBody,
      async handle({ desk, caller, version, body, links }) {
        const { transfer: request } = body as Offer;
        const { transfer, authKey } = await createTransfer(desk, caller, {
          volumeId: request.volume_id,
          name: trimmed(request.name),
          noSnapshots: readBoolean(request.no_snapshots ?? false, 'no_snapshots'),
          encryptedAllowed: version >= ENCRYPTED_TRANSFERS,
        });
        return { transfer: { ...detail.show(transfer, { path, links }, version), auth_key: authKey } };
      },
    }),

    route({
      method: 'GET',
      path: `${path}/:id`,
      since,
      policy: 'volume:get_transfer',
      async handle({ desk, caller, version, params, links }) {
        return { transfer: detail.show(await transferFor(desk.db.read, caller, params.id), { path, links }, version) };
      },
    }),

    route({
      method: 'DELETE',
      path: `${path}/:id`,
      since,
      policy: 'volume:delete_transfer',
      status: 202,
      async handle({ desk, caller, params }) {
        await deleteTransfer(desk, caller, params.id);
        return undefined;
      },
    }),

    route({
      method: 'POST',
      path: `${path}/:id/accept`,
      since,
      policy: 'volume:accept_transfer',
      status: 202,
      body: AcceptBody,
      async handle({ desk, caller, version, params, body, links }) {
        const transfer = await acceptTransfer(desk, caller, params.id, body.accept.auth_key);
        return { transfer: summary.show(transfer, { path, links }, version) };
      },
    }),
  ];
}

async function list(call: ApiCall, path: Path, pagePath: string, view: Fields<Transfer, Viewer>): Promise<object> {
  const { desk, links, version } = call;
  const paged = path === PATH && version >= PAGED_TRANSFERS;
  const page: PageQuery<TransferField> = paged ? pageOf(call, SORT_KEYS) : { limit: desk.config.api.osapi_max_limit };
  const filters = wanted(call, paged);
  const found = filters === undefined || page.limit === 0 ? [] : await listTransfers(desk.db, { ...page, filters });
  const next = paged ? nextLinks(call, pagePath, page, { length: found.length, last: found.at(-1)?.id }) : [];
  return {
    transfers: found.map((transfer) => view.show(transfer, { path, links }, version)),
    ...(next.length > 0 && { transfers_links: next }),
  };
}

function wanted(call: ApiCall, paged: boolean): readonly ListFilter<TransferField>[] | undefined {
  const filters = paged ? filtersOf(call, 'transfer', TRANSFER_FILTERS) : [];
  const projectId = projectShown(call);
  if (filters === undefined || projectId === undefined) return filters;
  return [...filters, { is: 'equal', field: 'projectId', value: projectId }];
}

function linksTo({ id }: Transfer, { path, links: { prefix, bookmark } }: Viewer): object {
  return [
    { rel: 'self', href: `${prefix}${path}/${id}` },
    { rel: 'bookmark', href: `${bookmark}${path}/${id}` },
  ];
}
