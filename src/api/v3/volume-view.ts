/** A volume as clients see it, version by version. */
import type { Kysely } from 'kysely';
import { attachmentsOfAll } from '../../db/attachments.ts';
import type { Value } from '../../db/list-query.ts';
import type { Tables } from '../../db/schema.ts';
import { findVolumes } from '../../db/volumes.ts';
import type { Attachment } from '../../model/attachment.ts';
import { hostOf } from '../../model/backend.ts';
import { VOLUME_STATUSES, type VolumeStatus } from '../../model/status.ts';
import type { Metadata, Volume } from '../../model/volume.ts';
import {
  CLUSTER_NAME,
  CONSUMES_QUOTA,
  ENCRYPTION_KEY_ID,
  GROUPS,
  PROVIDER_ID,
  SHARED_TARGETS,
  VOLUME_TYPE_ID,
} from '../microversion.ts';
import type { View, Viewer } from '../rendered.ts';

/** Statuses with a plainer name outside. */
const SHOWN: { readonly [status in VolumeStatus]?: VolumeStatus } = {
  managing: 'creating',
  error_managing: 'error',
  error_managing_deleting: 'deleting',
};

export const shownStatus = (status: VolumeStatus): VolumeStatus => SHOWN[status] ?? status;

/** The statuses that are shown as this one. */
export function statusesShownAs(shown: Value): readonly Value[] {
  const others = Object.entries(SHOWN).filter(([, name]) => name === shown);
  return [shown, ...others.map(([status]) => status)];
}

/** The statuses that are shown as one with this part. */
export const statusesShownWith = (part: string): readonly string[] =>
  VOLUME_STATUSES.filter((status) => shownStatus(status).includes(part));

/** Of what administrators keep on a volume, what is shown to everybody among its metadata. */
const SHOWN_ADMIN_METADATA = ['readonly', 'attached_mode'] as const;

export const isShownAdminMetadata = (key: string): boolean => SHOWN_ADMIN_METADATA.some((shown) => shown === key);

const changesAt = [
  GROUPS,
  PROVIDER_ID,
  SHARED_TARGETS,
  CLUSTER_NAME,
  VOLUME_TYPE_ID,
  ENCRYPTION_KEY_ID,
  CONSUMES_QUOTA,
];

/** A volume with its attachments; each change of one of them raises the volume's revision. */
interface WithAttachments extends Volume {
  readonly attachments: readonly Attachment[];
}

/** `GET volumes/{id}`, `GET volumes/detail`. */
export const volumeDetail: View<WithAttachments> = {
  name: 'volume-detail',
  changesAt,
  load: withAttachments,
  show: (volume, viewer) => ({
    ...answerFields(volume, viewer),
    attachments: volume.attachments.map((each) => attachmentShown(each, viewer)),
    metadata: metadataShown(volume),
    ...(viewer.attributes.tenant && { 'os-vol-tenant-attr:tenant_id': volume.projectId }),
    ...(viewer.attributes.host && { 'os-vol-host-attr:host': volume.host }),
    ...(viewer.attributes.migration && {
      'os-vol-mig-status-attr:migstat': volume.migrationStatus,
      'os-vol-mig-status-attr:name_id': volume.nameId,
    }),
    ...(viewer.attributes.imageMetadata &&
      volume.imageMetadata !== null && { volume_image_metadata: volume.imageMetadata }),
  }),
};

/** The answer to a create: without what the extensions add. */
export const volumeCreated = (volume: Volume, viewer: Viewer): object => answerFields(volume, viewer);

/** The answer to an update. */
export const volumeUpdated = (volume: Volume, viewer: Viewer): object => ({
  ...answerFields(volume, viewer),
  metadata: metadataShown(volume),
});

/** `GET volumes`. */
export const volumeSummary: View<Volume> = {
  name: 'volume-summary',
  changesAt: [],
  load: findVolumes,
  show: ({ id, name }, viewer) => ({ id, name, links: linksTo(id, viewer) }),
};

/** Only of those that are attached is anything asked. */
async function withAttachments(db: Kysely<Tables>, ids: readonly string[]): Promise<WithAttachments[]> {
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

function answerFields(volume: Volume, viewer: Viewer): object {
  const { version, isAdmin, names } = viewer;
  return {
    id: volume.id,
    status: shownStatus(volume.status),
    size: volume.sizeGiB,
    availability_zone: volume.availabilityZone,
    created_at: volume.createdAt,
    updated_at: volume.updatedAt,
    name: volume.name,
    description: volume.description,
    volume_type: names.typeName(volume.volumeTypeId) ?? null,
    snapshot_id: volume.snapshotId,
    source_volid: volume.sourceVolumeId,
    metadata: volume.metadata,
    links: linksTo(volume.id, viewer),
    user_id: volume.userId,
    bootable: String(volume.bootable),
    encrypted: volume.encryptionKeyId !== null,
    replication_status: volume.replicationStatus,
    consistencygroup_id: null,
    multiattach: volume.multiattach,
    attachments: [],
    ...(isAdmin && { migration_status: volume.migrationStatus }),
    ...(version >= GROUPS && { group_id: volume.groupId }),
    ...(version >= PROVIDER_ID && isAdmin && { provider_id: volume.providerId }),
    ...(version >= SHARED_TARGETS && {
      service_uuid: serviceId(volume, viewer),
      // Every connection to a volume is its own, so nobody need lock a host to attach or detach one.
      shared_targets: false,
    }),
    ...(version >= CLUSTER_NAME && isAdmin && { cluster_name: null }),
    ...(version >= VOLUME_TYPE_ID && { volume_type_id: volume.volumeTypeId }),
    ...(version >= ENCRYPTION_KEY_ID &&
      volume.encryptionKeyId !== null && { encryption_key_id: volume.encryptionKeyId }),
    ...(version >= CONSUMES_QUOTA && { consumes_quota: volume.usesQuota }),
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
