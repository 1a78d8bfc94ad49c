/** What a flow tells others, in the transaction of what it did: events for programs, messages for the project's users. */
import { insertMessage } from '../db/messages.ts';
import { appendEvents } from '../db/outbox.ts';
import type { Tx } from '../db/writer.ts';
import type { Failure } from '../engine/failure.ts';
import { type Operation, userMessage } from '../events/messages.ts';
import {
  type SchedulingFailed,
  type SnapshotEventSuffix,
  schedulerEvent,
  snapshotEvent,
  type VolumeEventSuffix,
  volumeEvent,
} from '../events/notifications.ts';
import type { Json } from '../lib/json.ts';
import type { NewEvent } from '../model/event.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Volume } from '../model/volume.ts';
import type { Tools } from './tools.ts';

/** Volumes the service makes for itself are nobody's news (S20). */
export async function tellVolume(
  tx: Tx,
  suffix: VolumeEventSuffix,
  volume: Volume,
  requestId: string,
  extra: { readonly [key: string]: Json } = {},
): Promise<void> {
  if (volume.usesQuota) await tell(tx, volumeEvent(suffix, volume, { requestId }, extra));
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

export async function tell(tx: Tx, event: NewEvent): Promise<void> {
  await appendEvents(tx, [event]);
}

/** That no backend would take it, for those who watch the scheduler; other failures are not the scheduler's. */
export async function tellNoBackend(
  tx: Tx,
  method: SchedulingFailed['method'],
  failure: Failure,
  { volume, sizeGiB, requestId }: { readonly volume: Volume; readonly sizeGiB: number; readonly requestId: string },
): Promise<void> {
  if (failure.name !== 'NoValidBackend') return;
  const requestSpec = { volume_id: volume.id, size: sizeGiB, volume_type: volume.volumeTypeId };
  const { status: state } = volume;
  await tell(
    tx,
    schedulerEvent({ method, volume, state, reason: failure.message, requestSpec, origin: { requestId } }),
  );
}

/** Why it failed, for the users of the project. */
export async function tellUser(
  tx: Tx,
  operation: Operation,
  failure: Failure,
  resource: { readonly id: string; readonly projectId: string },
  context: { readonly requestId: string; readonly tools: Tools },
): Promise<void> {
  const { requestId, tools } = context;
  const { id: resourceId, projectId } = resource;
  await insertMessage(
    tx,
    userMessage({ operation, failure, resourceId, projectId, requestId, ttlSeconds: tools.messageTtlSeconds }),
  );
}
