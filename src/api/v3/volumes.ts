/** `volumes`: the resource most clients meet first. */

import { createVolume } from '../../commands/volumes/create-volume.ts';
import { deleteVolume } from '../../commands/volumes/delete-volume.ts';
import { type UpdateVolumePatch, updateVolume } from '../../commands/volumes/update-volume.ts';
import { summarizeVolumes } from '../../db/volumes.ts';
import { Type } from '../../lib/schema.ts';
import { InvalidInput } from '../../model/errors.ts';
import type { Metadata } from '../../model/volume.ts';
import { CLOSED, LooseBoolean, LooseSize, Maybe, NAMED, named, readSize, Text255, trimmed, Uuid } from '../body.ts';
import { MetadataBody } from '../metadata-bodies.ts';
import {
  CREATE_FROM_BACKUP,
  DELETE_BY_FORCE,
  GROUPS,
  type Microversion,
  OLDEST,
  SERVER_IMAGES,
  STRICT_BODIES,
  SUMMARY_WITH_METADATA,
  VOLUME_SUMMARY,
} from '../microversion.ts';
import { queryBoolean, readBoolean } from '../query.ts';
import { route } from '../route.ts';
import { shown, showOne, showPage, wanted } from './show.ts';
import { volumeKind } from './volume-kind.ts';
import { volumeCreated, volumeDetail, volumeSummary, volumeUpdated } from './volume-view.ts';

/** At least what every create may say, `more` of a later version, and below 3.53 anything else. */
const createBody = <More extends Record<string, ReturnType<typeof Maybe>>>(more: More, additionalProperties: boolean) =>
  Type.Object(
    {
      volume: Type.Object(
        {
          ...NAMED,
          size: Maybe(LooseSize),
          availability_zone: Maybe(Text255),
          volume_type: Maybe(Text255),
          source_volid: Maybe(Uuid),
          snapshot_id: Maybe(Uuid),
          imageRef: Maybe(Text255),
          image_id: Maybe(Text255),
          metadata: Maybe(MetadataBody),
          consistencygroup_id: Maybe(Uuid),
          multiattach: Maybe(LooseBoolean),
          ...more,
        },
        { additionalProperties },
      ),
      'OS-SCH-HNT:scheduler_hints': Maybe(Type.Record(Type.String(), Type.Unknown())),
    },
    { additionalProperties },
  );

const group = { group_id: Maybe(Text255) };
const backup = { backup_id: Maybe(Uuid) };

const updateBody = (rest: { readonly additionalProperties: boolean; readonly minProperties?: number }) =>
  Type.Object(
    { volume: Type.Object({ ...NAMED, metadata: Maybe(MetadataBody) }, rest) },
    {
      additionalProperties: rest.additionalProperties,
    },
  );

export const volumes = [
  route({
    method: 'GET',
    path: '/volumes',
    policy: 'volume:get_all',
    cacheable: true,
    handle: (call) => showPage(call, volumeKind, volumeSummary, '/volumes'),
  }),

  route({
    method: 'GET',
    path: '/volumes/detail',
    policy: 'volume:get_all',
    cacheable: true,
    handle: (call) => showPage(call, volumeKind, volumeDetail, '/volumes/detail'),
  }),

  route({
    method: 'GET',
    path: '/volumes/summary',
    since: VOLUME_SUMMARY,
    policy: 'volume:get_all',
    async handle(call) {
      const filters = wanted(call, volumeKind);
      const found = filters && (await summarizeVolumes(call.desk.db, filters));
      const summary = { total_count: found?.count ?? 0, total_size: found?.sizeGiB ?? 0 };
      if (call.version < SUMMARY_WITH_METADATA) return { 'volume-summary': summary };
      return { 'volume-summary': { ...summary, metadata: found?.metadata ?? {} } };
    },
  }),

  route({
    method: 'POST',
    path: '/volumes',
    policy: 'volume:create',
    status: 202,
    body: [
      [OLDEST, createBody({}, true)],
      [GROUPS, createBody(group, true)],
      [CREATE_FROM_BACKUP, createBody({ ...group, ...backup }, true)],
      [STRICT_BODIES, createBody({ ...group, ...backup }, false)],
    ],
    async handle(call) {
      const { volume: request, 'OS-SCH-HNT:scheduler_hints': hints } = call.body;
      refuseUnsupported(request);
      // An empty text names none.
      const imageId = (request.imageRef ?? request.image_id) || null;
      if (imageId !== null) call.demand('volume:create_from_image');
      const volume = await createVolume(call.desk, call.caller, {
        name: named(request, 'name') ?? null,
        description: named(request, 'description') ?? null,
        sizeGiB: request.size == null ? null : readSize(request.size, 'size'),
        availabilityZone: trimmed(request.availability_zone) || null,
        volumeType: request.volume_type || null,
        sourceVolumeId: request.source_volid ?? null,
        snapshotId: request.snapshot_id ?? null,
        groupId: groupIn(request, call.version),
        backupId: backupIn(request, call.version),
        imageId,
        serverImages: call.version >= SERVER_IMAGES,
        metadata: (request.metadata ?? {}) as Metadata,
        hints: hints ?? {},
        demand: call.demand,
      });
      return { volume: await shown(call, volume, volumeCreated) };
    },
  }),

  route({
    method: 'GET',
    path: '/volumes/:id',
    policy: 'volume:get',
    cacheable: true,
    handle: (call) => showOne(call, volumeKind, volumeDetail, call.params.id),
  }),

  route({
    method: 'PUT',
    path: '/volumes/:id',
    policy: 'volume:update',
    body: [
      [OLDEST, updateBody({ additionalProperties: true })],
      [STRICT_BODIES, updateBody({ ...CLOSED, minProperties: 1 })],
    ],
    async handle(call) {
      const { volume: request } = call.body;
      const name = named(request, 'name');
      const description = named(request, 'description');
      const patch: UpdateVolumePatch = {
        ...(name !== undefined && { name }),
        ...(description !== undefined && { description }),
        ...(request.metadata != null && { metadata: request.metadata as Metadata }),
      };
      const volume = await updateVolume(call.desk, call.caller, call.params.id, patch);
      return { volume: await shown(call, volume, volumeUpdated) };
    },
  }),

  route({
    method: 'DELETE',
    path: '/volumes/:id',
    policy: 'volume:delete',
    status: 202,
    async handle({ desk, caller, params, query, version, demand }) {
      const cascade = queryBoolean(query, 'cascade');
      const force = version >= DELETE_BY_FORCE && queryBoolean(query, 'force');
      if (force) demand('volume:force_delete');
      await deleteVolume(desk, caller, params.id, { cascade, force });
      return undefined;
    },
  }),
];

interface Unsupported {
  readonly multiattach?: boolean | string | null;
  readonly [name: string]: unknown;
}

function refuseUnsupported({ multiattach }: Unsupported): void {
  if (multiattach != null && readBoolean(multiattach, 'multiattach')) {
    throw new InvalidInput('multiattach is not asked for when a volume is made; it comes from the volume type.');
  }
}

/** A consistency group is a group. */
function groupIn(
  request: { readonly group_id?: string | null; readonly consistencygroup_id?: string | null },
  version: Microversion,
): string | null {
  const group = version >= GROUPS ? request.group_id : null;
  return group ?? request.consistencygroup_id ?? null;
}

function backupIn(request: { readonly [name: string]: unknown }, version: Microversion): string | null {
  return version >= CREATE_FROM_BACKUP ? ((request.backup_id ?? null) as string | null) : null;
}
