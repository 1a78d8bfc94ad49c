/** A whole Cinder database as rows of ours: step by step, in an order that foreign keys allow, whatever the dialect and the batch. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { mapStep } from '../../src/import/map/map-cinder.ts';
import type { MapSettings } from '../../src/import/map/map-settings.ts';
import { mapWorld } from '../../src/import/map/map-world.ts';
import { MAP_STEPS, type MappedBatch, type MapStep, TABLES_OF } from '../../src/import/map/mapped-batch.ts';
import type { ImportedTable } from '../../src/import/map/verdict.ts';
import {
  attachmentRow,
  defaultTypeOf,
  deletedRow,
  HOST,
  id,
  PROJECT,
  snapshotRow,
  typeRow,
  USER,
  valueRows,
  volumeRow,
} from './cinder-rows.ts';
import { type CinderWorld, cinderWorld, DIALECTS, NEWEST, ZED } from './cinder-world.ts';
import { settings } from './mapped-rows.ts';

const KEY = { salt: 'deadbeef', crypt_hash: 'a'.repeat(40) };

/** Something of each kind, a broken row of some, and deleted ones beside. */
async function fill(world: CinderWorld): Promise<void> {
  const standard = await defaultTypeOf(world);
  const { insert } = world;
  const [group] = await world.run('SELECT id FROM group_types');
  const made = { created_at: '2024-03-01 09:15:22', deleted: false };
  await insert('volume_types', typeRow({ id: id('7', 1), name: 'ssd', qos_specs_id: id('2', 1) }));
  await insert(
    'volume_types',
    deletedRow(typeRow({ id: id('7', 2), name: 'old' })),
    deletedRow(typeRow({ id: id('7', 3), name: 'unused' })),
  );
  await insert('volume_type_extra_specs', ...valueRows({ volume_type_id: id('7', 1) }, { volume_backend_name: 'rbd' }));
  await insert('volume_type_projects', { volume_type_id: id('7', 1), project_id: PROJECT, deleted: 0 });
  await insert(
    'quality_of_service_specs',
    { ...made, id: id('2', 1), specs_id: null, key: 'QoS_Specs_Name', value: 'gold' },
    { ...made, id: id('1', 1), specs_id: id('2', 1), key: 'consumer', value: 'both' },
  );
  await insert('encryption', {
    ...made,
    encryption_id: id('0', 1),
    volume_type_id: id('7', 1),
    provider: 'luks',
    control_location: 'front-end',
  });
  await insert('default_volume_types', { ...made, project_id: PROJECT, volume_type_id: id('7', 1) });
  await insert('groups', {
    ...made,
    id: id('4', 1),
    project_id: PROJECT,
    user_id: USER,
    host: HOST,
    status: 'available',
    group_type_id: String(group?.id),
  });
  await insert('group_volume_type_mapping', { ...made, group_id: id('4', 1), volume_type_id: standard });
  await insert('group_snapshots', {
    ...made,
    id: id('3', 1),
    group_id: id('4', 1),
    project_id: PROJECT,
    status: 'available',
    group_type_id: String(group?.id),
  });
  for (let n = 1; n <= 5; n += 1)
    await insert('volumes', volumeRow({ id: id('a', n), volume_type_id: standard, size: n }));
  await insert(
    'volumes',
    volumeRow({ id: id('a', 6), volume_type_id: id('7', 2), status: 'in-use', attach_status: 'attached' }),
  );
  await insert('volumes', volumeRow({ id: id('a', 7), volume_type_id: id('0', 9) }));
  await insert('volumes', volumeRow({ id: id('a', 8), volume_type_id: standard, status: 'awaiting-transfer' }));
  await insert('volumes', deletedRow(volumeRow({ id: id('a', 9), volume_type_id: standard, status: 'deleted' })));
  await insert(
    'volume_metadata',
    ...valueRows({ volume_id: id('a', 1) }, { one: '1' }),
    ...valueRows({ volume_id: id('a', 4) }, { four: '4' }),
  );
  await insert(
    'volume_admin_metadata',
    ...valueRows({ volume_id: id('a', 6) }, { readonly: 'False', attached_mode: 'rw' }),
  );
  await insert('volume_glance_metadata', ...valueRows({ volume_id: id('a', 2) }, { image_name: 'debian' }));
  await insert('volume_attachment', attachmentRow({ id: id('c', 1), volume_id: id('a', 6) }));
  await insert('volume_attachment', deletedRow(attachmentRow({ id: id('c', 2), volume_id: id('a', 6) })));
  await insert('transfers', {
    ...made,
    ...KEY,
    id: id('f', 1),
    volume_id: id('a', 8),
    display_name: 't',
    source_project_id: PROJECT,
  });
  await insert(
    'snapshots',
    snapshotRow({ id: id('b', 1), volume_id: id('a', 1), volume_type_id: standard, group_snapshot_id: id('3', 1) }),
  );
  await insert('snapshots', snapshotRow({ id: id('b', 2), volume_id: id('a', 7), volume_type_id: id('0', 9) }));
  await insert('snapshots', snapshotRow({ id: id('b', 3), volume_id: id('a', 9), volume_type_id: standard }));
  await insert('snapshot_metadata', ...valueRows({ snapshot_id: id('b', 1) }, { kept: 'yes' }));
  await insert('backups', {
    ...made,
    id: id('d', 1),
    volume_id: id('a', 1),
    project_id: PROJECT,
    user_id: null,
    status: 'available',
    size: 1,
    service: 'cinder.backup.drivers.posix',
  });
  await insert('messages', {
    ...made,
    id: id('5', 1),
    project_id: PROJECT,
    event_id: 'VOLUME_VOLUME_001_003',
    message_level: 'ERROR',
    resource_type: 'VOLUME',
    resource_uuid: id('a', 1),
    action_id: '001',
    detail_id: '003',
    expires_at: '2027-01-01 00:00:00',
  });
  await insert('messages', {
    ...made,
    id: id('5', 2),
    project_id: PROJECT,
    event_id: 'VOLUME_VOLUME_001_003',
    message_level: 'ERROR',
    expires_at: '2024-04-01 00:00:00',
  });
  await insert('services', {
    ...made,
    host: 'control1@rbd1',
    binary: 'cinder-volume',
    uuid: id('9', 1),
    report_count: 7,
    disabled: true,
    disabled_reason: 'full',
    updated_at: '2026-11-30 11:59:55',
  });
  await insert('quotas', { ...made, project_id: PROJECT, resource: 'gigabytes_ssd', hard_limit: 500 });
}

async function mapped(world: CinderWorld, of: Partial<MapSettings> = {}, limit?: number): Promise<MappedBatch[]> {
  const cinder = await world.open();
  const around = await mapWorld(cinder, settings(of));
  assert.ok('settings' in around);
  const batches: MappedBatch[] = [];
  for (const step of MAP_STEPS)
    for await (const batch of mapStep(cinder, around, step, limit === undefined ? {} : { limit })) batches.push(batch);
  return batches;
}

const ids = (batches: readonly MappedBatch[], table: ImportedTable): string[] =>
  batches.flatMap(({ rows }) =>
    ((rows[table] ?? []) as readonly { readonly id?: string }[]).map((row) => row.id ?? ''),
  );

const named = (batches: readonly MappedBatch[]): string[] =>
  batches
    .flatMap(({ findings, refusals }) => [...findings, ...refusals])
    .map(({ resource, code, id: of }) => `${resource} ${of} ${code}`)
    .sort();

for (const dialect of DIALECTS) {
  const inWorld =
    (does: (world: CinderWorld) => Promise<void>, revision = ZED) =>
    async (t: TestContext) => {
      const world = await cinderWorld(dialect, revision);
      if ('missing' in world) return t.skip(world.missing);
      try {
        await does(world);
      } finally {
        await world.remove();
      }
    };

  describe(`a Cinder database on ${dialect}, as rows of ours`, () => {
    for (const revision of [ZED, NEWEST]) {
      test(
        `of revision ${revision}: every living row comes in or is named, and no deleted one comes`,
        inWorld(async (world) => {
          await fill(world);
          const batches = await mapped(world);
          const counts = Object.fromEntries(
            MAP_STEPS.flatMap((step) => TABLES_OF[step]).map((table) => [
              table,
              batches.reduce((sum, { rows }) => sum + (rows[table]?.length ?? 0), 0),
            ]),
          );
          assert.deepEqual(counts, {
            qos_specs: 1,
            volume_type: 3,
            volume_type_access: 1,
            volume_type_encryption: 1,
            default_volume_type: 1,
            group_type: 1,
            group_type_access: 0,
            volume_group: 1,
            volume: 7,
            volume_attachment: 1,
            transfer: 1,
            snapshot: 1,
            group_snapshot: 1,
            backup: 1,
            message: 1,
            service: 1,
            quota_limit: 1,
            quota_class_limit: revision === ZED ? 5 : 7,
          });
          assert.deepEqual(named(batches), [
            `snapshot ${id('b', 2)} volume-refused`,
            `snapshot ${id('b', 3)} volume-deleted`,
            `volume ${id('a', 7)} type-missing`,
            `volume_type ${id('7', 2)} type-deleted`,
          ]);
          const volumes = batches.flatMap(({ rows }) => rows.volume ?? []);
          assert.deepEqual(
            volumes.map(({ metadata }) => metadata).filter((text) => text !== '{}'),
            ['{"one":"1"}', '{"four":"4"}'],
          );
          assert.equal(volumes.find((each) => each.id === id('a', 2))?.image_metadata, '{"image_name":"debian"}');
          const [message] = batches.flatMap(({ rows }) => rows.message ?? []);
          assert.equal(message?.user_message, 'schedule the volume: No storage backend can take it.');
        }, revision),
      );
    }

    test(
      'in batches of any size, and from any key on, the same rows come',
      inWorld(async (world) => {
        await fill(world);
        const whole = await mapped(world);
        const small = await mapped(world, {}, 2);
        for (const table of MAP_STEPS.flatMap((step) => TABLES_OF[step]))
          assert.deepEqual(
            small.flatMap(({ rows }): readonly object[] => rows[table] ?? []),
            whole.flatMap(({ rows }): readonly object[] => rows[table] ?? []),
            table,
          );
        assert.deepEqual(named(small), named(whole));
        const cinder = await world.open();
        const around = await mapWorld(cinder, settings());
        assert.ok('settings' in around);
        const rest: string[] = [];
        for await (const { rows } of mapStep(cinder, around, 'volumes', { after: id('a', 4) }))
          rest.push(...(rows.volume ?? []).map((row) => row.id));
        assert.deepEqual(
          rest,
          [5, 6, 8].map((n) => id('a', n)),
        );
      }),
    );

    test(
      'with the switches a deleted volume comes back with its snapshots, and a volume of no type is one of the type that is said',
      inWorld(async (world) => {
        await fill(world);
        const batches = await mapped(world, { revive: true, adoptType: 'ssd' }, 3);
        assert.deepEqual(
          ids(batches, 'volume'),
          [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => id('a', n)),
        );
        assert.deepEqual(
          ids(batches, 'snapshot'),
          [1, 2, 3].map((n) => id('b', n)),
        );
        assert.deepEqual(
          batches.flatMap(({ refusals }) => refusals),
          [],
        );
        const cinder = await world.open();
        assert.deepEqual(await mapWorld(cinder, settings({ adoptType: 'nonesuch' })), { noType: 'nonesuch' });
      }),
    );

    test(
      'an empty Cinder has its types and limits, and nothing is found',
      inWorld(async (world) => {
        const batches = await mapped(world);
        assert.deepEqual(named(batches), []);
        assert.deepEqual(
          batches.map(({ step }) => step),
          ['types', 'services', 'limits'] satisfies MapStep[],
        );
      }),
    );
  });
}
