/**
 * `manageable_volumes` and `manageable_snapshots` (3.8), and `os-volume-manage` and `os-snapshot-manage`, their older paths:
 * volumes and snapshots on a backend that have no row, listed and brought under management.
 */

import { listManageable, type Manageable } from '../../commands/list-manageable.ts';
import { manageSnapshot } from '../../commands/snapshots/manage-snapshot.ts';
import { manageVolume } from '../../commands/volumes/manage-volume.ts';
import { Type } from '../../lib/schema.ts';
import { ClusterNotFound, InvalidInput } from '../../model/errors.ts';
import type { Metadata } from '../../model/volume.ts';
import { CLOSED, LooseBoolean, Maybe, NAMED, named, strictSince353, Text255, trimmed, Uuid } from '../body.ts';
import { MetadataBody } from '../metadata-bodies.ts';
import { MANAGE_ON_CLUSTER, MANAGEABLE_LISTS, MANAGEABLE_LISTS_OF_CLUSTER, OLDEST } from '../microversion.ts';
import { type PageQuery, pageOf } from '../page.ts';
import { parseLiteral } from '../python-literal.ts';
import { readBoolean } from '../query.ts';
import { type ApiCall, type Route, route } from '../route.ts';
import { shown } from './show.ts';
import { snapshotAnswer } from './snapshot-view.ts';
import { volumeCreated } from './volume-view.ts';

/** `{"source-name": …}` or `{"source-id": …}`, or the name alone. */
const Reference = Type.Union([
  Type.Record(Type.String({ pattern: '^.{1,255}$' }), Text255, { ...CLOSED, minProperties: 1, maxProperties: 8 }),
  Type.String({ minLength: 1, maxLength: 255 }),
]);

const VolumeBody = strictSince353((rest) =>
  Type.Object(
    {
      volume: Type.Object(
        {
          ...NAMED,
          host: Maybe(Text255),
          cluster: Maybe(Text255),
          ref: Reference,
          volume_type: Maybe(Text255),
          availability_zone: Maybe(Text255),
          metadata: Maybe(MetadataBody),
          bootable: Maybe(LooseBoolean),
        },
        rest,
      ),
    },
    rest,
  ),
);

const SnapshotBody = strictSince353((rest) =>
  Type.Object(
    { snapshot: Type.Object({ ...NAMED, volume_id: Uuid, ref: Reference, metadata: Maybe(MetadataBody) }, rest) },
    rest,
  ),
);

const OLD_AND_NEW = {
  volume: [
    { path: '/os-volume-manage', since: OLDEST },
    { path: '/manageable_volumes', since: MANAGEABLE_LISTS },
  ],
  snapshot: [
    { path: '/os-snapshot-manage', since: OLDEST },
    { path: '/manageable_snapshots', since: MANAGEABLE_LISTS },
  ],
} as const;

export const manageable: readonly Route[] = [
  ...OLD_AND_NEW.volume.flatMap((at) => [
    ...lists('volume', at),
    route({
      ...at,
      method: 'POST',
      policy: 'volume_extension:volume_manage',
      status: 202,
      body: VolumeBody,
      async handle(call) {
        const { volume: request } = call.body;
        const volume = await manageVolume(call.desk, call.caller, {
          host: hostNamed(request.host ?? null, call.version >= MANAGE_ON_CLUSTER ? (request.cluster ?? null) : null),
          ref: referenceIn(request.ref as Readonly<Record<string, string>> | string),
          name: named(request, 'name') ?? null,
          description: named(request, 'description') ?? null,
          volumeType: request.volume_type || null,
          metadata: (request.metadata ?? {}) as Metadata,
          availabilityZone: trimmed(request.availability_zone) || null,
          bootable: readBoolean(request.bootable ?? false, 'bootable'),
        });
        return { volume: await shown(call, volume, volumeCreated) };
      },
    }),
  ]),
  ...OLD_AND_NEW.snapshot.flatMap((at) => [
    ...lists('snapshot', at),
    route({
      ...at,
      method: 'POST',
      policy: 'snapshot_extension:snapshot_manage',
      status: 202,
      body: SnapshotBody,
      async handle(call) {
        const { snapshot: request } = call.body;
        const snapshot = await manageSnapshot(call.desk, call.caller, {
          volumeId: request.volume_id,
          ref: referenceIn(request.ref as Readonly<Record<string, string>> | string),
          name: named(request, 'name') ?? null,
          description: named(request, 'description') ?? null,
          metadata: (request.metadata ?? {}) as Metadata,
        });
        return { snapshot: await shown(call, snapshot, snapshotAnswer) };
      },
    }),
  ]),
];

function lists(kind: 'volume' | 'snapshot', at: { readonly path: string; readonly since: number }): readonly Route[] {
  const policy = kind === 'volume' ? 'volume_extension:list_manageable' : 'snapshot_extension:list_manageable';
  const summary = ({ reference, sizeGiB, safe }: Manageable): object => ({
    reference,
    size: sizeGiB,
    safe_to_manage: safe,
    // A backend here does not say which of its volumes a snapshot is of.
    ...(kind === 'snapshot' && { source_reference: {} }),
  });
  const detail = (found: Manageable): object => ({
    ...summary(found),
    reason_not_safe: found.reason,
    cinder_id: found.cinderId,
    extra_info: null,
  });
  const answer = async (call: ApiCall, show: (found: Manageable) => object): Promise<object> => {
    const cluster = call.version >= MANAGEABLE_LISTS_OF_CLUSTER ? (call.query.get('cluster') ?? null) : null;
    const host = hostNamed(call.query.get('host') ?? null, cluster);
    const page = pageOf(call, SORT_KEYS);
    const found = await listManageable(call.desk, kind, host);
    return { [`manageable-${kind}s`]: pageIn(found, page).map(show) };
  };
  return [
    route({ ...at, method: 'GET', policy, handle: (call) => answer(call, summary) }),
    route({ ...at, path: `${at.path}/detail`, method: 'GET', policy, handle: (call) => answer(call, detail) }),
  ];
}

const SORT_KEYS = { size: 'size', reference: 'reference' } as const;

/** Backends list all they hold at once, so its pages are cut here. */
function pageIn(found: readonly Manageable[], page: PageQuery<'size' | 'reference'>): readonly Manageable[] {
  const keys = page.sort?.length ? page.sort : [{ field: 'reference', direction: 'desc' } as const];
  const sorted = [...found].sort((a, b) => {
    for (const { field, direction } of keys) {
      const order = field === 'size' ? a.sizeGiB - b.sizeGiB : compare(nameOf(a.reference), nameOf(b.reference));
      if (order !== 0) return direction === 'asc' ? order : -order;
    }
    return 0;
  });
  const after = page.marker === undefined ? 0 : placeOf(page.marker, sorted) + 1;
  const start = after + (page.offset ?? 0);
  return sorted.slice(start, start + page.limit);
}

/** A marker is the reference of the last one seen, written as a dictionary. */
function placeOf(marker: string, found: readonly Manageable[]): number {
  const reference = parseLiteral(marker);
  const name = reference instanceof Map ? nameOf(Object.fromEntries(reference)) : undefined;
  const place = found.findIndex((each) => nameOf(each.reference) === name);
  if (place < 0) throw new InvalidInput(`The marker ${marker} names nothing in the list.`);
  return place;
}

const nameOf = (reference: object): string => JSON.stringify(reference);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function hostNamed(host: string | null, cluster: string | null): string {
  if (host && cluster) throw new InvalidInput('A host and a cluster cannot both be named.');
  if (cluster) throw new ClusterNotFound(`Cluster ${cluster} could not be found.`);
  if (!host) throw new InvalidInput('A host must be named: node@backend or node@backend#pool.');
  return host;
}

function referenceIn(reference: Readonly<Record<string, string>> | string): Readonly<Record<string, string>> {
  return typeof reference === 'string' ? { 'source-name': reference } : reference;
}
