/** Notifications and user messages of a flow, written to the outbox in the transaction of the change they tell of. */
import { attachmentsOf } from '../db/attachments.ts';
import { dependentsOf } from '../db/backups.ts';
import { getGroup } from '../db/groups.ts';
import { insertMessage } from '../db/messages.ts';
import { appendEvents } from '../db/outbox.ts';
import type { Tx } from '../db/sql/tx.ts';
import type { Failure } from '../engine/failure.ts';
import type { Detail } from '../events/message-codes.ts';
import { type Operation, userMessage, userNote } from '../events/messages.ts';
import {
  type BackupEventSuffix,
  backupEvent,
  type GroupEventSuffix,
  type GroupSnapshotEventSuffix,
  groupEvent,
  groupSnapshotEvent,
  type ImageCacheEventAction,
  imageCacheEvent,
  type SchedulingFailed,
  type SnapshotEventSuffix,
  schedulerEvent,
  snapshotEvent,
  type VolumeEventSuffix,
  volumeEvent,
} from '../events/notifications.ts';
import type { Json } from '../lib/json.ts';
import type { Backup } from '../model/backup.ts';
import type { NewEvent } from '../model/event.ts';
import type { Group } from '../model/group.ts';
import type { GroupSnapshot } from '../model/group-snapshot.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Volume } from '../model/volume.ts';

/** Volumes the service makes for itself are nobody's news (S20). */
export async function tellVolume(
  tx: Tx,
  suffix: VolumeEventSuffix,
  volume: Volume,
  requestId: string,
  extra: { readonly [key: string]: Json } = {},
): Promise<void> {
  if (!volume.usesQuota) return;
  const attached = volume.attachStatus === 'attached' ? await attachmentsTold(tx, volume.id) : {};
  await tell(tx, volumeEvent(suffix, volume, { requestId }, { ...attached, ...extra }));
}

/** Of a volume that is being attached or detached, which need not say so yet, or still. */
export async function tellAttachments(
  tx: Tx,
  suffix: 'attach.start' | 'attach.end' | 'detach.start' | 'detach.end',
  volume: Volume,
  requestId: string,
): Promise<void> {
  await tellVolume(tx, suffix, volume, requestId, await attachmentsTold(tx, volume.id));
}

/** To whom a volume is attached. How it is reached is nobody's news. */
async function attachmentsTold({ db }: Tx, volumeId: string) {
  const attachments = (await attachmentsOf(db, volumeId)).filter(({ attachStatus }) => attachStatus !== 'detached');
  const volume_attachment = attachments.map((each) => ({
    id: each.id,
    volume_id: each.volumeId,
    instance_uuid: each.instanceId,
    attached_host: each.attachedHost,
    mountpoint: each.mountpoint,
    attach_mode: each.attachMode,
    attach_status: each.attachStatus,
  }));
  return { volume_attachment };
}

export async function tellSnapshot(
  tx: Tx,
  suffix: SnapshotEventSuffix,
  snapshot: Snapshot,
  volume: Pick<Volume, 'host' | 'availabilityZone'>,
  requestId: string,
): Promise<void> {
  if (snapshot.usesQuota) await tell(tx, snapshotEvent(suffix, snapshot, volume, { requestId }));
}

export async function tellGroup(tx: Tx, suffix: GroupEventSuffix, group: Group, requestId: string): Promise<void> {
  await tell(tx, groupEvent(suffix, group, { requestId }));
}

export async function tellGroupSnapshot(
  tx: Tx,
  suffix: GroupSnapshotEventSuffix,
  groupSnapshot: GroupSnapshot,
  requestId: string,
): Promise<void> {
  const group = await getGroup(tx.db, groupSnapshot.groupId);
  await tell(tx, groupSnapshotEvent(suffix, groupSnapshot, group, { requestId }));
}

/** What the image cache of a pool did, for the volume that was asked for. */
export async function tellImageCache(
  tx: Tx,
  action: ImageCacheEventAction,
  { pool, imageId }: { readonly pool: string; readonly imageId: string },
  volume: Volume,
  requestId: string,
): Promise<void> {
  await tell(tx, imageCacheEvent(action, imageId, pool, volume, requestId));
}

export async function tellBackup(
  tx: Tx,
  suffix: BackupEventSuffix,
  backup: Backup,
  requestId: string,
  extra: { readonly [key: string]: Json } = {},
): Promise<void> {
  const dependents = (await dependentsOf(tx.db, [backup.id])).get(backup.id) ?? 0;
  await tell(tx, backupEvent(suffix, backup, dependents, { requestId }, extra));
}

export async function tell(tx: Tx, event: NewEvent): Promise<void> {
  await appendEvents(tx, [event]);
}

/** That no backend would take it, for those who watch the scheduler; other failures are not the scheduler's. */
export async function tellNoBackend(
  tx: Tx,
  method: SchedulingFailed['method'],
  failure: Failure,
  {
    volume,
    sizeGiB,
    state = volume.status,
    requestId,
  }: { readonly volume: Volume; readonly sizeGiB: number; readonly state?: Json; readonly requestId: string },
): Promise<void> {
  if (failure.name !== 'NoValidBackend') return;
  const requestSpec = { volume_id: volume.id, size: sizeGiB, volume_type: volume.volumeTypeId };
  await tell(
    tx,
    schedulerEvent({ method, volume, state, reason: failure.message, requestSpec, origin: { requestId } }),
  );
}

/** Why it failed, for the users of the project. */
export async function tellUser(
  tx: Tx,
  operation: Operation,
  failure: Pick<Failure, 'name'>,
  resource: ToldOf,
  context: ToldIn,
): Promise<void> {
  await insertMessage(tx, userMessage({ ...about(operation, resource, context), failure }));
}

/** What whoever asked for it would not think of what was done, for the same. */
export async function noteForUser(
  tx: Tx,
  operation: Operation,
  detail: Detail,
  resource: ToldOf,
  context: ToldIn,
  more = '',
): Promise<void> {
  await insertMessage(tx, userNote(about(operation, resource, context), detail, more));
}

interface ToldOf {
  readonly id: string;
  readonly projectId: string;
}

interface ToldIn {
  readonly requestId: string;
  readonly tools: { readonly messageTtlSeconds: number };
}

const about = (operation: Operation, { id, projectId }: ToldOf, { requestId, tools }: ToldIn) => ({
  operation,
  resourceId: id,
  projectId,
  requestId,
  ttlSeconds: tools.messageTtlSeconds,
});
