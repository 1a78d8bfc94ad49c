/** The views of a volume: in a list, in detail and after a change, each version by version. */
import { attachmentsOfAll } from '../../db/attachments.ts';
import type { Db } from '../../db/sql/db.ts';
import type { Value } from '../../db/sql/list-query.ts';
import { findVolumes } from '../../db/volumes.ts';
import type { Attachment } from '../../model/attachment.ts';
import { hostOf } from '../../model/backend.ts';
import { shownStatus, VOLUME_STATUSES } from '../../model/status.ts';
import type { Metadata, Volume } from '../../model/volume.ts';
import {
  CLUSTER_NAME,
  CONSUMES_QUOTA,
  ENCRYPTION_KEY_ID,
  GROUPS,
  OLDEST,
  PROVIDER_ID,
  SHARED_TARGETS,
  VOLUME_TYPE_ID,
} from '../microversion.ts';
import { type Field, Fields, only, View, type Viewer } from '../view.ts';

/** The statuses that are shown as this one. */
export const statusesShownAs = (shown: Value): readonly Value[] => [
  shown,
  ...VOLUME_STATUSES.filter((status) => status !== shown && shownStatus(status) === shown),
];

/** The statuses that are shown as one with this part. */
export const statusesShownWith = (part: string): readonly string[] =>
  VOLUME_STATUSES.filter((status) => shownStatus(status).includes(part));

/** Of what administrators keep on a volume, what is shown to everybody among its metadata. */
const SHOWN_ADMIN_METADATA = ['readonly', 'attached_mode'] as const;

export const isShownAdminMetadata = (key: string): boolean => SHOWN_ADMIN_METADATA.some((shown) => shown === key);

/** A volume with its attachments; each change of one of them raises the volume's revision. */
interface WithAttachments extends Volume {
  readonly attachments: readonly Attachment[];
}

const ANSWER: readonly Field<Volume, Viewer>[] = [
  [OLDEST, 'id', ({ id }) => id],
  [OLDEST, 'status', ({ status }) => shownStatus(status)],
  [OLDEST, 'size', ({ sizeGiB }) => sizeGiB],
  [OLDEST, 'availability_zone', ({ availabilityZone }) => availabilityZone],
  [OLDEST, 'created_at', ({ createdAt }) => createdAt],
  [OLDEST, 'updated_at', ({ updatedAt }) => updatedAt],
  [OLDEST, 'name', ({ name }) => name],
  [OLDEST, 'description', ({ description }) => description],
  [OLDEST, 'volume_type', ({ volumeTypeId }, { names }) => names.typeName(volumeTypeId) ?? null],
  [OLDEST, 'snapshot_id', ({ snapshotId }) => snapshotId],
  [OLDEST, 'source_volid', ({ sourceVolumeId }) => sourceVolumeId],
  [OLDEST, 'metadata', ({ metadata }) => metadata],
  [OLDEST, 'links', ({ id }, viewer) => linksTo(id, viewer)],
  [OLDEST, 'user_id', ({ userId }) => userId],
  [OLDEST, 'bootable', ({ bootable }) => String(bootable)],
  [OLDEST, 'encrypted', ({ encryptionKeyId }) => encryptionKeyId !== null],
  [OLDEST, 'replication_status', ({ replicationStatus }) => replicationStatus],
  [OLDEST, 'consistencygroup_id', () => null],
  [OLDEST, 'multiattach', ({ multiattach }) => multiattach],
  [OLDEST, 'attachments', () => []],
  [OLDEST, 'migration_status', ({ migrationStatus }, { isAdmin }) => only(isAdmin, migrationStatus)],
  [GROUPS, 'group_id', ({ groupId }) => groupId],
  [PROVIDER_ID, 'provider_id', ({ providerId }, { isAdmin }) => only(isAdmin, providerId)],
  [SHARED_TARGETS, 'service_uuid', serviceId],
  // Every connection to a volume is its own, so nobody need lock a host to attach or detach one.
  [SHARED_TARGETS, 'shared_targets', () => false],
  [CLUSTER_NAME, 'cluster_name', (_, { isAdmin }) => only(isAdmin, null)],
  [VOLUME_TYPE_ID, 'volume_type_id', ({ volumeTypeId }) => volumeTypeId],
  [ENCRYPTION_KEY_ID, 'encryption_key_id', ({ encryptionKeyId }) => encryptionKeyId ?? undefined],
  [CONSUMES_QUOTA, 'consumes_quota', ({ usesQuota }) => usesQuota],
];

/** `GET volumes/{id}`, `GET volumes/detail`. */
export const volumeDetail = new View<WithAttachments>('volume-detail', withAttachments, [
  ...ANSWER,
  [OLDEST, 'attachments', ({ attachments }, viewer) => attachments.map((each) => attachmentShown(each, viewer))],
  [OLDEST, 'metadata', metadataShown],
  [OLDEST, 'os-vol-tenant-attr:tenant_id', (volume, { attributes }) => only(attributes.tenant, volume.projectId)],
  [OLDEST, 'os-vol-host-attr:host', ({ host }, { attributes }) => only(attributes.host, host)],
  [
    OLDEST,
    'os-vol-mig-status-attr:migstat',
    (volume, { attributes }) => only(attributes.migration, volume.migrationStatus),
  ],
  [OLDEST, 'os-vol-mig-status-attr:name_id', ({ nameId }, { attributes }) => only(attributes.migration, nameId)],
  [
    OLDEST,
    'volume_image_metadata',
    ({ imageMetadata }, { attributes }) => only(attributes.imageMetadata, imageMetadata ?? undefined),
  ],
]);

/** The answer to a create: without what the extensions add. */
export const volumeCreated = new Fields<Volume, Viewer>(ANSWER);

/** The answer to an update. */
export const volumeUpdated = new Fields<Volume, Viewer>([...ANSWER, [OLDEST, 'metadata', metadataShown]]);

/** `GET volumes`. */
export const volumeSummary = new View<Volume>('volume-summary', findVolumes, [
  [OLDEST, 'id', ({ id }) => id],
  [OLDEST, 'name', ({ name }) => name],
  [OLDEST, 'links', ({ id }, viewer) => linksTo(id, viewer)],
]);

/** Only of those that are attached is anything asked. */
async function withAttachments(db: Db, ids: readonly string[]): Promise<WithAttachments[]> {
  const volumes = await findVolumes(db, ids);
  const attached = volumes.filter(({ attachStatus }) => attachStatus === 'attached').map(({ id }) => id);
  const shown = (await attachmentsOfAll(db, attached)).filter(({ attachStatus }) => attachStatus === 'attached');
  const byVolume = Map.groupBy(shown, ({ volumeId }) => volumeId);
  return volumes.map((volume) => ({ ...volume, attachments: byVolume.get(volume.id) ?? [] }));
}

/** `id` is the volume's. */
function attachmentShown(attachment: Attachment, { isAdmin }: Viewer): object {
  return {
    id: attachment.volumeId,
    attachment_id: attachment.id,
    volume_id: attachment.volumeId,
    server_id: attachment.instanceId,
    host_name: isAdmin ? attachment.attachedHost : null,
    device: attachment.mountpoint,
    attached_at: attachment.attachedAt,
  };
}

function serviceId({ host }: Volume, { names }: Viewer): string | null {
  return host === null ? null : (names.serviceId(hostOf(host)) ?? null);
}

function metadataShown({ metadata, adminMetadata }: Volume): Metadata {
  const added = SHOWN_ADMIN_METADATA.filter((key) => key in adminMetadata);
  if (added.length === 0) return metadata;
  return { ...metadata, ...Object.fromEntries(added.map((key) => [key, adminMetadata[key] ?? ''])) };
}

function linksTo(id: string, { links }: Viewer): object {
  return [
    { rel: 'self', href: `${links.prefix}/volumes/${id}` },
    { rel: 'bookmark', href: `${links.bookmark}/volumes/${id}` },
  ];
}
