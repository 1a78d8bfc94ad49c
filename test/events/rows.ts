/** Rows for tests of events, made whole; a test says what matters to it. */
import { now, uuid } from '../../src/lib/clock.ts';
import type { OutboxEvent } from '../../src/model/event.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import type { Volume } from '../../src/model/volume.ts';

export function aVolume(fields: Partial<Volume> = {}): Volume {
  return {
    id: uuid(),
    nameId: null,
    projectId: 'project-1',
    userId: 'user-1',
    name: 'data',
    description: null,
    sizeGiB: 1,
    status: 'creating',
    previousStatus: null,
    attachStatus: 'detached',
    migrationStatus: null,
    host: 'node1@file#pool0',
    availabilityZone: 'nova',
    volumeTypeId: 'type-1',
    snapshotId: null,
    sourceVolumeId: null,
    groupId: null,
    bootable: false,
    multiattach: false,
    usesQuota: true,
    encryptionKeyId: null,
    replicationStatus: null,
    providerLocation: null,
    providerId: null,
    managedRef: null,
    metadata: {},
    adminMetadata: {},
    imageMetadata: null,
    nextImageMetadata: null,
    createdAt: '2026-01-31T12:00:00.000001',
    updatedAt: null,
    scheduledAt: null,
    launchedAt: null,
    terminatedAt: null,
    revision: 1,
    ...fields,
  };
}

export function aSnapshot(fields: Partial<Snapshot> = {}): Snapshot {
  return {
    id: uuid(),
    projectId: 'project-1',
    userId: 'user-1',
    volumeId: 'volume-1',
    volumeTypeId: 'type-1',
    volumeSizeGiB: 1,
    name: null,
    description: null,
    status: 'creating',
    progress: '0%',
    groupSnapshotId: null,
    usesQuota: true,
    encryptionKeyId: null,
    providerLocation: null,
    providerId: null,
    managedRef: null,
    metadata: {},
    imageMetadata: null,
    createdAt: '2026-01-31T12:00:00.000001',
    updatedAt: null,
    revision: 1,
    ...fields,
  };
}

export function anEvent(seq: number, fields: Partial<OutboxEvent> = {}): OutboxEvent {
  return {
    seq,
    messageId: uuid(),
    resource: 'volume:1',
    eventType: 'volume.create.start',
    priority: 'INFO',
    publisherId: 'volume.node1@file',
    payload: '{"volume_id":"1"}',
    projectId: 'project-1',
    userId: 'user-1',
    requestId: 'req-1',
    createdAt: now(),
    ...fields,
  };
}
