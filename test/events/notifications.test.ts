import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { envelope } from '../../src/events/envelope.ts';
import { schedulerEvent, snapshotEvent, type VolumeEventSuffix, volumeEvent } from '../../src/events/notifications.ts';
import type { NewEvent } from '../../src/model/event.ts';
import { anEvent, aSnapshot, aVolume } from './rows.ts';

const origin = { requestId: 'req-1' };
/** The event with its payload read, without its id, which is new every time. */
function read({ messageId, payload, ...event }: NewEvent) {
  assert.match(messageId, /^[0-9a-f-]{36}$/);
  return { ...event, payload: JSON.parse(payload) };
}

describe('notifications', () => {
  test('a volume tells what Cinder tells of it', () => {
    const volume = aVolume({
      id: 'v1',
      name: 'data',
      status: 'available',
      sizeGiB: 3,
      snapshotId: 's1',
      launchedAt: '2026-01-31T12:00:05.000000',
      metadata: { purpose: 'logs' },
    });
    assert.deepEqual(read(volumeEvent('create.end', volume, origin)), {
      resource: 'volume:v1',
      eventType: 'volume.create.end',
      priority: 'INFO',
      publisherId: 'volume.node1@file',
      payload: {
        tenant_id: 'project-1',
        host: 'node1@file#pool0',
        user_id: 'user-1',
        availability_zone: 'nova',
        volume_id: 'v1',
        volume_type: 'type-1',
        display_name: 'data',
        launched_at: '2026-01-31T12:00:05.000000+00:00',
        created_at: '2026-01-31T12:00:00.000001+00:00',
        status: 'available',
        snapshot_id: 's1',
        size: 3,
        replication_status: null,
        replication_extended_status: null,
        replication_driver_data: null,
        metadata: [{ key: 'purpose', value: 'logs' }],
        volume_attachment: [],
      },
      projectId: 'project-1',
      userId: 'user-1',
      requestId: 'req-1',
    });
  });

  test('a snapshot tells what Cinder tells of it, and says when it is gone', () => {
    const given = { id: 's1', volumeId: 'v1', volumeSizeGiB: 2, name: 'monday', status: 'deleting' } as const;
    const snapshot = aSnapshot({ ...given, metadata: { why: "it's monday" } });
    const event = read(snapshotEvent('delete.end', snapshot, aVolume({ availabilityZone: 'az2' }), origin));
    assert.deepEqual(event, {
      resource: 'snapshot:s1',
      eventType: 'snapshot.delete.end',
      priority: 'INFO',
      publisherId: 'snapshot.node1@file',
      payload: {
        tenant_id: 'project-1',
        user_id: 'user-1',
        availability_zone: 'az2',
        volume_id: 'v1',
        volume_size: 2,
        snapshot_id: 's1',
        display_name: 'monday',
        created_at: '2026-01-31T12:00:00.000001+00:00',
        status: 'deleted',
        deleted: 'True',
        metadata: `{'why': "it's monday"}`,
      },
      projectId: 'project-1',
      userId: 'user-1',
      requestId: 'req-1',
    });
    const begun = read(snapshotEvent('delete.start', aSnapshot(given), aVolume(), origin)).payload;
    assert.partialDeepStrictEqual(begun, { status: 'deleting', deleted: '', metadata: '' });
    assert.equal(read(snapshotEvent('unmanage.end', snapshot, aVolume(), origin)).payload.status, 'deleted');
  });

  test('a volume says that it is gone when it is', () => {
    const status = (suffix: VolumeEventSuffix) =>
      read(volumeEvent(suffix, aVolume({ status: 'deleting' }), origin)).payload.status;
    assert.deepEqual((['delete.start', 'delete.end', 'unmanage.end'] as const).map(status), [
      'deleting',
      'deleted',
      'deleted',
    ]);
  });

  test('what a volume remembers of its image is told in pairs', () => {
    const event = read(volumeEvent('create.end', aVolume({ imageMetadata: { image_id: 'i1', os: 'linux' } }), origin));
    assert.deepEqual(event.payload.glance_metadata, [
      { key: 'image_id', value: 'i1' },
      { key: 'os', value: 'linux' },
    ]);
  });

  test('a volume that never ran has been launched now', () => {
    const { payload } = read(volumeEvent('create.start', aVolume({ launchedAt: null }), origin));
    assert.match(String(payload.launched_at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
  });

  test('where a volume lies on its backend and what an administrator noted are not told', () => {
    const volume = aVolume({
      providerLocation: 'hidden-location',
      providerId: 'hidden-id',
      adminMetadata: { note: 'hidden-note' },
      encryptionKeyId: 'hidden-key',
      managedRef: { 'source-name': 'hidden-ref' },
    });
    assert.doesNotMatch(JSON.stringify(volumeEvent('create.end', volume, origin)), /hidden/);
  });

  test('the user who asked is told where another than the owner did', () => {
    const event = read(volumeEvent('delete.start', aVolume(), { ...origin, projectId: 'admins', userId: 'root' }));
    assert.deepEqual([event.projectId, event.userId, event.payload.tenant_id], ['admins', 'root', 'project-1']);
  });

  test('without a backend the lane publishes', () => {
    assert.equal(volumeEvent('delete.start', aVolume({ host: null }), origin).publisherId, 'volume.control');
  });

  test('scheduling that failed is an error', () => {
    const event = read(
      schedulerEvent({
        method: 'create_volume',
        volume: aVolume({ id: 'v1', host: null }),
        state: 'error',
        reason: 'No valid backend was found.',
        requestSpec: { size: 1 },
        origin,
      }),
    );
    assert.equal(event.priority, 'ERROR');
    assert.equal(event.eventType, 'scheduler.create_volume');
    assert.deepEqual(Object.keys(event.payload).sort(), [
      'method',
      'reason',
      'request_spec',
      'state',
      'volume_id',
      'volume_properties',
    ]);
  });
});

describe('the envelope', () => {
  const event = anEvent(1, {
    messageId: '11111111-2222-3333-4444-555555555555',
    createdAt: '2026-01-31T12:00:00.000001',
  });

  test("is oslo.messaging's, version 2.0", () => {
    const { 'oslo.message': inner, ...outer } = envelope(event);
    assert.deepEqual(outer, { 'oslo.version': '2.0' });
    assert.deepEqual(JSON.parse(inner), {
      message_id: '11111111-2222-3333-4444-555555555555',
      publisher_id: 'volume.node1@file',
      event_type: 'volume.create.start',
      priority: 'INFO',
      payload: { volume_id: '1' },
      timestamp: '2026-01-31 12:00:00.000001',
      _unique_id: '11111111222233334444555555555555',
      _context_request_id: 'req-1',
      _context_project_id: 'project-1',
      _context_user_id: 'user-1',
      _context_tenant: 'project-1',
      _context_user: 'user-1',
      _context_timestamp: '2026-01-31T12:00:00.000001',
    });
  });

  test('of one event is the same every time', () => {
    assert.deepEqual(envelope(event), envelope({ ...event }));
  });
});
