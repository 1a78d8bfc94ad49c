/**
 * Notifications: the event types, publishers and payloads that other programs of OpenStack know.
 *
 * Everything here is a function of the rows as they are in the transaction that appends the event. Keys are Cinder's.
 * Nothing that opens a volume is ever in a payload: neither connection info nor where it lies on its backend.
 */
import { now, type Timestamp, uuid } from '../lib/clock.ts';
import type { Json } from '../lib/json.ts';
import { hostOf } from '../model/backend.ts';
import type { Backup } from '../model/backup.ts';
import type { NewEvent } from '../model/event.ts';
import type { Group } from '../model/group.ts';
import type { GroupSnapshot } from '../model/group-snapshot.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Volume } from '../model/volume.ts';
import { pythonDict } from './python-text.ts';

type Span<Name extends string> = `${Name}.start` | `${Name}.end`;

export type VolumeEventSuffix =
  | Span<
      | 'create'
      | 'update'
      | 'delete'
      | 'unmanage'
      | 'attach'
      | 'detach'
      | 'resize'
      | 'revert'
      | 'manage_existing'
      | 'reset_status'
    >
  | Span<'transfer.create' | 'transfer.accept' | 'transfer.delete'>
  | 'retype'
  | 'exists';

export type SnapshotEventSuffix =
  | Span<'create' | 'update' | 'delete' | 'unmanage' | 'revert' | 'manage_existing_snapshot' | 'reset_status'>
  | 'exists';

export type GroupEventSuffix = Span<'create' | 'update' | 'delete'>;

export type BackupEventSuffix = Span<'create' | 'restore' | 'delete'> | 'createprogress';

export type GroupSnapshotEventSuffix = Span<'create' | 'delete'>;

/** Whose request led to the event. Without a user or project it is told as the owner's of the resource. */
export interface EventOrigin {
  readonly requestId: string;
  readonly projectId?: string;
  readonly userId?: string;
}

type Payload = { readonly [key: string]: Json };

/** A flow runs in this lane until a backend is chosen; so far the lane is what publishes. */
const UNPLACED = 'control';

/** `extra` is added to the payload. */
export function volumeEvent(
  suffix: VolumeEventSuffix,
  volume: Volume,
  origin: EventOrigin,
  extra: Payload = {},
): NewEvent {
  return {
    messageId: uuid(),
    resource: `volume:${volume.id}`,
    eventType: `volume.${suffix}`,
    priority: 'INFO',
    publisherId: `volume.${publisher(volume)}`,
    payload: JSON.stringify({ ...volumePayload(volume, isEnd(suffix)), ...extra }),
    ...from(origin, volume),
  };
}

/** The volume of the snapshot says where and in which zone it is. */
export function snapshotEvent(
  suffix: SnapshotEventSuffix,
  snapshot: Snapshot,
  volume: Pick<Volume, 'host' | 'availabilityZone'>,
  origin: EventOrigin,
  extra: Payload = {},
): NewEvent {
  return {
    messageId: uuid(),
    resource: `snapshot:${snapshot.id}`,
    eventType: `snapshot.${suffix}`,
    priority: 'INFO',
    publisherId: `snapshot.${publisher(volume)}`,
    payload: JSON.stringify({ ...snapshotPayload(snapshot, volume, isEnd(suffix)), ...extra }),
    ...from(origin, snapshot),
  };
}

export function groupEvent(suffix: GroupEventSuffix, group: Group, origin: EventOrigin): NewEvent {
  return {
    messageId: uuid(),
    resource: `group:${group.id}`,
    eventType: `group.${suffix}`,
    priority: 'INFO',
    publisherId: `group.${publisher(group)}`,
    payload: JSON.stringify({
      tenant_id: group.projectId,
      user_id: group.userId,
      availability_zone: group.availabilityZone,
      group_id: group.id,
      group_type: group.groupTypeId,
      name: group.name,
      created_at: zoned(group.createdAt),
      // Cinder's says `deleting` in the end too.
      status: group.status,
    }),
    ...from(origin, group),
  };
}

export function groupSnapshotEvent(
  suffix: GroupSnapshotEventSuffix,
  groupSnapshot: GroupSnapshot,
  group: Pick<Group, 'host'>,
  origin: EventOrigin,
): NewEvent {
  return {
    messageId: uuid(),
    resource: `group_snapshot:${groupSnapshot.id}`,
    eventType: `group_snapshot.${suffix}`,
    priority: 'INFO',
    publisherId: `group_snapshot.${publisher(group)}`,
    payload: JSON.stringify({
      tenant_id: groupSnapshot.projectId,
      user_id: groupSnapshot.userId,
      group_snapshot_id: groupSnapshot.id,
      name: groupSnapshot.name,
      group_id: groupSnapshot.groupId,
      group_type: groupSnapshot.groupTypeId,
      created_at: zoned(groupSnapshot.createdAt),
      status: groupSnapshot.status,
      deleted: '',
    }),
    ...from(origin, groupSnapshot),
  };
}

export type ImageCacheEventAction = 'hit' | 'miss' | 'evict';

/** Of the image cache of a pool. */
export function imageCacheEvent(
  action: ImageCacheEventAction,
  imageId: string,
  pool: string,
  { projectId, userId }: Pick<Volume, 'projectId' | 'userId'>,
  requestId: string,
): NewEvent {
  return {
    messageId: uuid(),
    resource: `image:${imageId}`,
    eventType: `image_volume_cache.${action}`,
    priority: 'INFO',
    publisherId: `volume.${hostOf(pool)}`,
    payload: JSON.stringify({ image_id: imageId, host: pool }),
    requestId,
    projectId,
    userId: userId ?? '',
  };
}

/** `dependents`: how many backups are increments to it. */
export function backupEvent(
  suffix: BackupEventSuffix,
  backup: Backup,
  dependents: number,
  origin: EventOrigin,
  extra: Payload = {},
): NewEvent {
  return {
    messageId: uuid(),
    resource: `backup:${backup.id}`,
    eventType: `backup.${suffix}`,
    priority: 'INFO',
    publisherId: `backup.${backup.host ?? UNPLACED}`,
    payload: JSON.stringify({
      tenant_id: backup.projectId,
      user_id: backup.userId,
      availability_zone: backup.availabilityZone,
      backup_id: backup.id,
      host: backup.host,
      display_name: backup.name,
      created_at: zoned(backup.createdAt),
      status: isEnd(suffix) ? 'deleted' : backup.status,
      volume_id: backup.volumeId,
      size: backup.sizeGiB,
      service_metadata: backup.serviceMetadata,
      service: backup.service,
      fail_reason: backup.failReason,
      parent_id: backup.parentId,
      num_dependent_backups: dependents,
      snapshot_id: backup.snapshotId,
      ...extra,
    }),
    ...from(origin, backup),
  };
}

export interface SchedulingFailed {
  readonly method:
    | 'create_volume'
    | 'extend_volume'
    | 'manage_existing'
    | 'manage_existing_snapshot'
    | 'migrate_volume_to_host'
    | 'retype';
  readonly volume: Volume;
  /** The status the volume is left in; or what is said of it by name, as Cinder does of a volume that was there before. */
  readonly state: Json;
  readonly reason: string;
  /** What the scheduler was asked for. */
  readonly requestSpec: Json;
  readonly origin: EventOrigin;
}

/** No backend was found. */
export function schedulerEvent({ method, volume, state, reason, requestSpec, origin }: SchedulingFailed): NewEvent {
  return {
    messageId: uuid(),
    resource: `volume:${volume.id}`,
    eventType: `scheduler.${method}`,
    priority: 'ERROR',
    publisherId: `scheduler.${publisher(volume)}`,
    payload: JSON.stringify({
      request_spec: requestSpec,
      volume_properties: volumePayload(volume),
      volume_id: volume.id,
      state,
      method,
      reason,
    }),
    ...from(origin, volume),
  };
}

/** After which there is no row any more; then Cinder's says that it is deleted, also when it was only unmanaged. */
const isEnd = (suffix: string): boolean => suffix === 'delete.end' || suffix === 'unmanage.end';

function volumePayload(volume: Volume, deleted = false): Payload {
  return {
    tenant_id: volume.projectId,
    host: volume.host,
    user_id: volume.userId,
    availability_zone: volume.availabilityZone,
    volume_id: volume.id,
    volume_type: volume.volumeTypeId,
    display_name: volume.name,
    launched_at: zoned(volume.launchedAt ?? now()),
    created_at: zoned(volume.createdAt),
    status: deleted ? 'deleted' : volume.status,
    snapshot_id: volume.snapshotId,
    size: volume.sizeGiB,
    replication_status: volume.replicationStatus,
    replication_extended_status: null,
    replication_driver_data: null,
    metadata: pairs(volume.metadata),
    volume_attachment: [],
    ...(volume.imageMetadata === null ? {} : { glance_metadata: pairs(volume.imageMetadata) }),
  };
}

function snapshotPayload(snapshot: Snapshot, volume: Pick<Volume, 'availabilityZone'>, deleted: boolean): Payload {
  return {
    tenant_id: snapshot.projectId,
    user_id: snapshot.userId,
    availability_zone: volume.availabilityZone,
    volume_id: snapshot.volumeId,
    volume_size: snapshot.volumeSizeGiB,
    snapshot_id: snapshot.id,
    display_name: snapshot.name,
    created_at: zoned(snapshot.createdAt),
    status: deleted ? 'deleted' : snapshot.status,
    // These two are Python's text for Cinder, and nothing when they say nothing.
    deleted: deleted ? 'True' : '',
    metadata: Object.keys(snapshot.metadata).length === 0 ? '' : pythonDict(snapshot.metadata),
  };
}

const publisher = ({ host }: Pick<Volume, 'host'>): string => (host === null ? UNPLACED : hostOf(host));

const from = (origin: EventOrigin, owner: { readonly projectId: string; readonly userId: string | null }) => ({
  projectId: origin.projectId ?? owner.projectId,
  userId: origin.userId ?? owner.userId ?? '',
  requestId: origin.requestId,
});

const pairs = (metadata: Readonly<Record<string, string>>): Json =>
  Object.entries(metadata).map(([key, value]) => ({ key, value }));

/** Times inside a payload carry their zone. */
const zoned = (at: Timestamp): string => `${at}+00:00`;
