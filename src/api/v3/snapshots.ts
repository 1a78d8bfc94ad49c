/** `snapshots`. */

import { createSnapshot } from '../../commands/snapshots/create-snapshot.ts';
import { deleteSnapshot } from '../../commands/snapshots/delete-snapshot.ts';
import { updateSnapshot } from '../../commands/snapshots/update-snapshot.ts';
import { countSnapshots, listSnapshotKeys, type SnapshotField } from '../../db/snapshots.ts';
import { Type } from '../../lib/schema.ts';
import { InvalidInput, SnapshotNotFound, VolumeNotFound } from '../../model/errors.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { Metadata } from '../../model/volume.ts';
import { CLOSED, LooseBoolean, Maybe, NAMED, Nullable, named, strictSince353, Uuid } from '../body.ts';
import { hostFilter } from '../filters.ts';
import { MetadataBody } from '../metadata-bodies.ts';
import {
  CONSUMES_QUOTA,
  type Microversion,
  OLDEST,
  SNAPSHOT_FILTER_BY_METADATA,
  SNAPSHOT_IN_USE,
  SNAPSHOT_SORT_BY_NAME,
  STRICT_BODIES,
} from '../microversion.ts';
import { readBoolean } from '../query.ts';
import { route } from '../route.ts';
import { type ListedKind, shown, showOne, showPage } from './show.ts';
import { snapshotAnswer, snapshotDetail, snapshotSummary } from './snapshot-view.ts';

const CreateBody = strictSince353((rest) =>
  Type.Object(
    {
      snapshot: Type.Object(
        { ...NAMED, volume_id: Nullable(Uuid), force: Maybe(LooseBoolean), metadata: Maybe(MetadataBody) },
        rest,
      ),
    },
    rest,
  ),
);

const updateBody = (rest: { readonly additionalProperties: boolean; readonly minProperties?: number }) =>
  Type.Object({ snapshot: Type.Object(NAMED, rest) }, { additionalProperties: rest.additionalProperties });

const SORT_KEYS: Readonly<Record<string, SnapshotField>> = {
  id: 'id',
  display_name: 'name',
  volume_id: 'volumeId',
  status: 'status',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
  size: 'volumeSizeGiB',
  volume_size: 'volumeSizeGiB',
  project_id: 'projectId',
  user_id: 'userId',
};
const SORT_KEYS_WITH_NAME = { ...SORT_KEYS, name: 'name' } as const;

export const snapshotKind: ListedKind<Snapshot, SnapshotField> = {
  resource: 'snapshot',
  keys: listSnapshotKeys,
  count: countSnapshots,
  notFound: (id) => new SnapshotNotFound(id),
  sortKeys: ({ version }) => (version >= SNAPSHOT_SORT_BY_NAME ? SORT_KEYS_WITH_NAME : SORT_KEYS),
  filters: {
    id: { field: 'id', as: 'word' },
    name: { field: 'name', as: 'text' },
    display_name: { field: 'name', as: 'text' },
    description: { field: 'description', as: 'text' },
    display_description: { field: 'description', as: 'text' },
    status: { field: 'status', as: 'word' },
    volume_id: { field: 'volumeId', as: 'word' },
    volume_size: { field: 'volumeSizeGiB', as: 'integer' },
    volume_type_id: { field: 'volumeTypeId', as: 'word' },
    availability_zone: { field: 'availabilityZone', as: 'word' },
    host: { field: 'host', as: (text) => [hostFilter('host', text)] },
    project_id: { field: 'projectId', as: 'word' },
    user_id: { field: 'userId', as: 'word' },
    progress: { field: 'progress', as: 'text' },
    group_snapshot_id: { field: 'groupSnapshotId', as: 'word' },
    encryption_key_id: { field: 'encryptionKeyId', as: 'word' },
    provider_id: { field: 'providerId', as: 'word' },
    metadata: { field: 'metadata', as: 'entries', since: SNAPSHOT_FILTER_BY_METADATA },
    consumes_quota: { field: 'usesQuota', as: 'boolean', since: CONSUMES_QUOTA },
    created_at: { field: 'createdAt', as: 'time' },
    updated_at: { field: 'updatedAt', as: 'time' },
  },
};

export const snapshots = [
  route({
    method: 'GET',
    path: '/snapshots',
    policy: 'volume:get_all_snapshots',
    cacheable: true,
    handle: (call) => showPage(call, snapshotKind, snapshotSummary, '/snapshots'),
  }),

  route({
    method: 'GET',
    path: '/snapshots/detail',
    policy: 'volume:get_all_snapshots',
    cacheable: true,
    handle: (call) => showPage(call, snapshotKind, snapshotDetail, '/snapshots/detail'),
  }),

  route({
    method: 'POST',
    path: '/snapshots',
    policy: 'volume:create_snapshot',
    status: 202,
    body: CreateBody,
    async handle(call) {
      const { snapshot: request } = call.body;
      const snapshot = await createSnapshot(call.desk, call.caller, {
        volumeId: volumeIn(request.volume_id),
        name: named(request, 'name') ?? null,
        description: named(request, 'description') ?? null,
        force: isForced(request.force ?? null, call.version),
        metadata: (request.metadata ?? {}) as Metadata,
      });
      return { snapshot: await shown(call, snapshot, snapshotAnswer) };
    },
  }),

  route({
    method: 'GET',
    path: '/snapshots/:id',
    policy: 'volume:get_snapshot',
    cacheable: true,
    handle: (call) => showOne(call, snapshotKind, snapshotDetail, call.params.id),
  }),

  route({
    method: 'PUT',
    path: '/snapshots/:id',
    policy: 'volume:update_snapshot',
    body: [
      [OLDEST, updateBody({ additionalProperties: true, minProperties: 1 })],
      [STRICT_BODIES, updateBody({ ...CLOSED, minProperties: 1 })],
    ],
    async handle(call) {
      const { snapshot: request } = call.body;
      const name = named(request, 'name');
      const description = named(request, 'description');
      const patch = { ...(name !== undefined && { name }), ...(description !== undefined && { description }) };
      const snapshot = await updateSnapshot(call.desk, call.caller, call.params.id, patch);
      return { snapshot: await shown(call, snapshot, snapshotAnswer) };
    },
  }),

  route({
    method: 'DELETE',
    path: '/snapshots/:id',
    policy: 'volume:delete_snapshot',
    status: 202,
    async handle({ desk, caller, params }) {
      await deleteSnapshot(desk, caller, params.id, { force: false });
      return undefined;
    },
  }),
];

/** To Cinder, and so to Tempest, null is the id of a volume that is not there. */
function volumeIn(id: string | null): string {
  if (id === null) throw new VolumeNotFound('null');
  return id;
}

/** From 3.66 on a volume in use needs no force, so it may be said for old times' sake but not denied. */
function isForced(force: boolean | string | null, version: Microversion): boolean {
  const given = force === null ? undefined : readBoolean(force, 'force');
  if (version < SNAPSHOT_IN_USE) return given ?? false;
  if (given === false) throw new InvalidInput('From version 3.66 on, force may only be true.');
  return true;
}
