/** Every filter of every list finds the row that has the value, and not one that has another. */
import assert from 'node:assert/strict';
import type { FilteredResource, FilterTable, UnlistedResource } from '../../src/api/filters.ts';
import { ATTACHMENT_FILTERS } from '../../src/api/v3/attachments.ts';
import { BACKUP_FILTERS } from '../../src/api/v3/backup-list.ts';
import { GROUP_FILTERS } from '../../src/api/v3/group-list.ts';
import { GROUP_SNAPSHOT_FILTERS } from '../../src/api/v3/group-snapshot-list.ts';
import { GROUP_TYPE_FILTERS } from '../../src/api/v3/group-types.ts';
import { MESSAGE_FILTERS } from '../../src/api/v3/messages.ts';
import { QOS_SPECS_FILTERS } from '../../src/api/v3/qos-specs.ts';
import { snapshotKind } from '../../src/api/v3/snapshots.ts';
import { TRANSFER_FILTERS } from '../../src/api/v3/transfers.ts';
import { volumeKind } from '../../src/api/v3/volume-kind.ts';
import { VOLUME_TYPE_FILTERS } from '../../src/api/v3/volume-types.ts';
import { insertAttachment } from '../../src/db/attachments.ts';
import { insertBackup } from '../../src/db/backups.ts';
import { insertGroupSnapshot } from '../../src/db/group-snapshots.ts';
import { insertGroupType } from '../../src/db/group-types.ts';
import { insertGroup } from '../../src/db/groups.ts';
import { insertMessage } from '../../src/db/messages.ts';
import { insertQosSpecs } from '../../src/db/qos-specs.ts';
import { insertTransfer } from '../../src/db/transfers.ts';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import { freshWorld, onBoth, type World } from './world.ts';

type Listed = Exclude<FilteredResource | UnlistedResource, 'pool'>;

/** Where each is listed, and its filters. Pools have none of their own: a filter is any capability. */
const LISTS: Readonly<Record<Listed, readonly [path: string, filters: FilterTable<string>]>> = {
  volume: ['/volumes', volumeKind.filters],
  snapshot: ['/snapshots', snapshotKind.filters],
  attachment: ['/attachments', ATTACHMENT_FILTERS],
  message: ['/messages', MESSAGE_FILTERS],
  transfer: ['/volume-transfers', TRANSFER_FILTERS],
  volume_type: ['/types', VOLUME_TYPE_FILTERS],
  group: ['/groups', GROUP_FILTERS],
  group_snapshot: ['/group_snapshots', GROUP_SNAPSHOT_FILTERS],
  group_type: ['/group_types', GROUP_TYPE_FILTERS],
  backup: ['/backups', BACKUP_FILTERS],
  qos_specs: ['/qos-specs', QOS_SPECS_FILTERS],
};

onBoth('each filter of each list finds the row that has the value, and not one that has another', async (...given) => {
  const [context, database] = given;
  const world = await freshWorld(context, { database });
  const [one, other] = [await rowOfEach(world, 1), await rowOfEach(world, 2)];
  for (const [resource, [path, filters]] of Object.entries(LISTS)) {
    const rows = [one[resource as Listed], other[resource as Listed]] as const;
    const names = Object.keys(filters);
    for (const { by } of rows) assert.deepEqual(Object.keys(by).sort(), names.sort(), `What finds a ${resource}`);
    for (const filter of names) {
      for (const [wanted, another] of [rows, rows.toReversed()] as const) {
        const text = wanted?.by[filter] ?? '';
        // Types that are not public are shown when asked for.
        const query = new URLSearchParams({ all_tenants: '1', is_public: 'None', [filter]: text });
        if (!Object.hasOwn(filters, 'is_public')) query.delete('is_public');
        const { body } = await world.get(`${path}?${query}`, { version: 'latest' });
        const found = Object.values(body)
          .find(Array.isArray)
          ?.map(({ id }) => id);
        assert.ok(found?.includes(wanted?.id), `${resource} ${filter} finds what has ${text}`);
        assert.ok(!found?.includes(another?.id), `${resource} ${filter} finds not what has another than ${text}`);
      }
    }
  }
});

interface Row {
  readonly id: string;
  /** What finds it, by the filter's name. */
  readonly by: Readonly<Record<string, string>>;
}

/** A row of everything that is listed; those of number 1 and those of number 2 differ in all that one may filter by. */
async function rowOfEach(world: World, n: 1 | 2): Promise<Readonly<Record<Listed, Row>>> {
  const { db } = world.service;
  const is = n === 1;
  const named = (what: string): string => `${what} ${n}`;
  const day = (month: number): string => `20${20 + n}-0${month}-02T03:04:05.000000`;
  const [created, updated, ends] = [day(1), day(2), `20${40 + n}-01-02T03:04:05.000000`];
  const metadata = { key: named('value') };
  const entries = `{'key': '${metadata.key}'}`;
  const projectId = named('project');
  const [qosSpecs, groupType] = await db.write(async (tx) => [
    await insertQosSpecs(tx, {
      id: uuid(),
      name: named('qos'),
      consumer: is ? 'front-end' : 'back-end',
      specs: {},
    }),
    await insertGroupType(tx, {
      id: uuid(),
      name: named('group type'),
      description: named('of groups'),
      isPublic: is,
      groupSpecs: {},
    }),
  ]);
  const type = await db.write((tx) =>
    insertVolumeType(tx, {
      id: uuid(),
      name: named('type'),
      description: named('of types'),
      isPublic: is,
      extraSpecs: metadata,
      qosSpecsId: qosSpecs.id,
      createdAt: created,
    }),
  );
  const origin = await world.volume();
  const source = await world.snapshot(origin);
  const volume = await world.volume({
    projectId,
    userId: named('user'),
    name: named('volume'),
    description: named('of volumes'),
    status: is ? 'available' : 'error',
    sizeGiB: n,
    host: `${named('node@backend')}#pool`,
    availabilityZone: named('zone'),
    volumeTypeId: type.id,
    snapshotId: source.id,
    sourceVolumeId: origin.id,
    attachStatus: is ? 'detached' : 'attached',
    migrationStatus: is ? 'success' : 'error',
    replicationStatus: named('replicated'),
    encryptionKeyId: named('key'),
    providerId: named('provider'),
    bootable: is,
    multiattach: is,
    metadata,
    imageMetadata: metadata,
    groupId: named('group'),
    usesQuota: is,
    createdAt: created,
  });
  const snapshot = await world.snapshot(volume, {
    name: named('snapshot'),
    description: named('of snapshots'),
    status: is ? 'available' : 'error',
    progress: `${n}%`,
    groupSnapshotId: named('group snapshot'),
    encryptionKeyId: named('key of snapshots'),
    providerId: named('provider of snapshots'),
    metadata,
    usesQuota: is,
    createdAt: created,
  });
  const [attachment, transfer, message] = await db.write(async (tx) => [
    await insertAttachment(tx, {
      id: uuid(),
      projectId,
      volumeId: volume.id,
      attachMode: is ? 'rw' : 'ro',
      attachStatus: is ? 'attached' : 'reserved',
      instanceId: named('server'),
      attachedHost: named('host'),
      mountpoint: named('/dev/vd'),
      createdAt: created,
    }),
    await insertTransfer(tx, {
      projectId,
      volumeId: volume.id,
      name: named('transfer'),
      noSnapshots: is,
      kept: { salt: '', hash: '', scheme: 'hmac-sha256' },
    }),
    await insertMessage(tx, {
      projectId,
      requestId: named('req'),
      resourceType: named('VOLUME'),
      resourceId: volume.id,
      eventId: named('EVENT'),
      level: named('LEVEL'),
      text: '',
      expiresAt: ends,
    }),
  ]);
  const group = await db.write((tx) =>
    insertGroup(tx, {
      id: uuid(),
      projectId,
      userId: named('user'),
      name: named('group'),
      description: named('of groups'),
      status: is ? 'available' : 'error',
      host: `${named('node@backend')}#pool`,
      availabilityZone: named('zone'),
      groupTypeId: groupType.id,
      volumeTypeIds: [type.id],
      groupSnapshotId: named('group snapshot'),
      sourceGroupId: named('source'),
      replicationStatus: named('replicated'),
      createdAt: created,
    }),
  );
  const groupSnapshot = await db.write((tx) =>
    insertGroupSnapshot(tx, {
      id: uuid(),
      projectId,
      userId: named('user'),
      name: named('group snapshot'),
      description: named('of group snapshots'),
      status: is ? 'available' : 'error',
      groupId: group.id,
      groupTypeId: groupType.id,
      createdAt: created,
    }),
  );
  const backup = await db.write((tx) =>
    insertBackup(tx, {
      id: uuid(),
      projectId,
      userId: named('user'),
      volumeId: volume.id,
      snapshotId: snapshot.id,
      parentId: named('parent'),
      name: named('backup'),
      description: named('of backups'),
      status: is ? 'available' : 'error',
      sizeGiB: n,
      container: named('container'),
      availabilityZone: named('zone'),
      host: named('node'),
      service: named('service'),
      objectCount: n,
      dataTimestamp: day(3),
      restoreVolumeId: origin.id,
      encryptionKeyId: named('key of backups'),
      metadata,
      createdAt: created,
    }),
  );
  await db.write(async ({ db }) => {
    await db.updateTable('backup').set({ updated_at: updated }).where('id', '=', backup.id).execute();
    await db.updateTable('group_snapshot').set({ updated_at: updated }).where('id', '=', groupSnapshot.id).execute();
    await db.updateTable('volume_group').set({ updated_at: updated }).where('id', '=', group.id).execute();
    await db.updateTable('volume').set({ updated_at: updated }).where('id', '=', volume.id).execute();
    await db.updateTable('snapshot').set({ updated_at: updated }).where('id', '=', snapshot.id).execute();
    await db.updateTable('volume_type').set({ updated_at: updated }).where('id', '=', type.id).execute();
    await db.updateTable('transfer').set({ created_at: created }).where('id', '=', transfer.id).execute();
    await db.updateTable('message').set({ created_at: created }).where('id', '=', message).execute();
  });

  const times = { created_at: created, updated_at: updated };
  return {
    volume: {
      id: volume.id,
      by: {
        id: volume.id,
        name: named('volume'),
        display_name: named('volume'),
        description: named('of volumes'),
        display_description: named('of volumes'),
        status: volume.status,
        size: `${n}`,
        project_id: projectId,
        user_id: named('user'),
        host: named('node@backend'),
        availability_zone: named('zone'),
        volume_type_id: type.id,
        snapshot_id: source.id,
        source_volid: origin.id,
        attach_status: volume.attachStatus,
        migration_status: is ? 'success' : 'error',
        replication_status: named('replicated'),
        encryption_key_id: named('key'),
        provider_id: named('provider'),
        bootable: `${is}`,
        multiattach: `${is}`,
        metadata: entries,
        glance_metadata: entries,
        group_id: named('group'),
        consumes_quota: `${is}`,
        ...times,
      },
    },
    snapshot: {
      id: snapshot.id,
      by: {
        id: snapshot.id,
        name: named('snapshot'),
        display_name: named('snapshot'),
        description: named('of snapshots'),
        display_description: named('of snapshots'),
        status: snapshot.status,
        volume_id: volume.id,
        volume_size: `${n}`,
        volume_type_id: type.id,
        availability_zone: named('zone'),
        host: named('node@backend'),
        project_id: projectId,
        user_id: named('user'),
        progress: `${n}%`,
        group_snapshot_id: named('group snapshot'),
        encryption_key_id: named('key of snapshots'),
        provider_id: named('provider of snapshots'),
        metadata: entries,
        consumes_quota: `${is}`,
        ...times,
      },
    },
    attachment: {
      id: attachment.id,
      by: {
        id: attachment.id,
        volume_id: volume.id,
        instance_id: named('server'),
        instance_uuid: named('server'),
        status: attachment.attachStatus,
        attach_status: attachment.attachStatus,
        attach_mode: attachment.attachMode,
        attached_host: named('host'),
        mountpoint: named('/dev/vd'),
        project_id: projectId,
        created_at: created,
      },
    },
    message: {
      id: message,
      by: {
        id: message,
        resource_uuid: volume.id,
        resource_type: named('VOLUME'),
        event_id: named('EVENT'),
        request_id: named('req'),
        message_level: named('LEVEL'),
        project_id: projectId,
        created_at: created,
        guaranteed_until: ends,
      },
    },
    transfer: {
      id: transfer.id,
      by: {
        id: transfer.id,
        volume_id: volume.id,
        name: named('transfer'),
        display_name: named('transfer'),
        no_snapshots: `${is}`,
        source_project_id: projectId,
        created_at: created,
      },
    },
    volume_type: {
      id: type.id,
      by: {
        id: type.id,
        name: named('type'),
        description: named('of types'),
        qos_specs_id: qosSpecs.id,
        extra_specs: entries,
        is_public: `${is}`,
        ...times,
      },
    },
    group: {
      id: group.id,
      by: {
        id: group.id,
        name: named('group'),
        description: named('of groups'),
        status: group.status,
        group_type: groupType.id,
        group_type_id: groupType.id,
        host: named('node@backend'),
        availability_zone: named('zone'),
        source_group_id: named('source'),
        group_snapshot_id: named('group snapshot'),
        replication_status: named('replicated'),
        project_id: projectId,
        user_id: named('user'),
        ...times,
      },
    },
    group_snapshot: {
      id: groupSnapshot.id,
      by: {
        id: groupSnapshot.id,
        name: named('group snapshot'),
        description: named('of group snapshots'),
        status: groupSnapshot.status,
        group_id: group.id,
        group_type_id: groupType.id,
        project_id: projectId,
        user_id: named('user'),
        ...times,
      },
    },
    group_type: {
      id: groupType.id,
      by: { id: groupType.id, name: named('group type'), description: named('of groups'), is_public: `${is}` },
    },
    backup: {
      id: backup.id,
      by: {
        id: backup.id,
        name: named('backup'),
        display_name: named('backup'),
        display_description: named('of backups'),
        status: backup.status,
        volume_id: volume.id,
        snapshot_id: snapshot.id,
        parent_id: named('parent'),
        size: `${n}`,
        object_count: `${n}`,
        container: named('container'),
        availability_zone: named('zone'),
        host: named('node'),
        service: named('service'),
        restore_volume_id: origin.id,
        encryption_key_id: named('key of backups'),
        project_id: projectId,
        user_id: named('user'),
        metadata: entries,
        data_timestamp: day(3),
        ...times,
      },
    },
    qos_specs: {
      id: qosSpecs.id,
      by: { id: qosSpecs.id, name: named('qos'), consumer: qosSpecs.consumer },
    },
  };
}
