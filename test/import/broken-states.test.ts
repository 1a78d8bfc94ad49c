/** Every state that a Cinder database is known to be found in, and what the import makes of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CinderRows } from '../../src/import/cinder/cinder-tables.ts';
import { mapAttachment } from '../../src/import/map/attachments.ts';
import { mapBackup } from '../../src/import/map/backups.ts';
import { mapGroup, mapGroupSnapshot } from '../../src/import/map/groups.ts';
import { mappedHost } from '../../src/import/map/host-map.ts';
import { mapLimits } from '../../src/import/map/quota-limits.ts';
import { mapServices } from '../../src/import/map/services.ts';
import { mapSnapshot } from '../../src/import/map/snapshots.ts';
import { mapTransfers } from '../../src/import/map/transfers.ts';
import { mapTypes } from '../../src/import/map/types.ts';
import { mapVolume, type OnBackend } from '../../src/import/map/volumes.ts';
import { GIB } from '../../src/lib/bytes.ts';
import { HOST, id, PROJECT, USER } from './cinder-rows.ts';
import {
  anAttachment,
  aSnapshot,
  aType,
  aValue,
  aVolume,
  aWorld,
  CHANGED,
  cinderVolume,
  GROUP_TYPE,
  MADE,
  NOW,
  settings,
  TYPE,
} from './mapped-rows.ts';

type Verdict<Row> =
  | {
      readonly row: Row;
      readonly findings: readonly { readonly code: string; readonly does: string; readonly id: string }[];
    }
  | { readonly refused: { readonly code: string; readonly next: string; readonly settledBy?: string } };

function taken<Row>(verdict: Verdict<Row>): { readonly row: Row; readonly codes: string[]; readonly does: string[] } {
  if ('refused' in verdict) assert.fail(`It was refused: ${JSON.stringify(verdict.refused)}`);
  return {
    row: verdict.row,
    codes: verdict.findings.map(({ code }) => code),
    does: verdict.findings.map(({ does }) => does),
  };
}

function refused<Row>(verdict: Verdict<Row>): {
  readonly code: string;
  readonly next: string;
  readonly settledBy?: string;
} {
  if (!('refused' in verdict)) assert.fail('It was taken.');
  return verdict.refused;
}

describe('a volume', () => {
  test('comes in column by column, and nothing is found', () => {
    const { row, codes } = taken(
      mapVolume(
        cinderVolume(
          {
            _name_id: id('d', 1),
            provider_location: '{"saved_features":61}',
            provider_auth: 'CHAP user word',
            provider_id: 'p',
            previous_status: 'backing-up',
            migration_status: 'success',
            replication_status: 'disabled',
            snapshot_id: id('b', 9),
            source_volid: id('a', 9),
            encryption_key_id: id('5', 1),
            bootable: true,
            multiattach: true,
          },
          {
            metadata: [aValue('volume_id', id('a', 1), 1, 'k', 'v')],
            adminMetadata: [aValue('volume_id', id('a', 1), 1, 'readonly', 'False')],
            imageMetadata: [{ id: 1, volume_id: id('a', 1), snapshot_id: null, key: 'image_id', value: id('6', 1) }],
          },
        ),
        aWorld(),
      ),
    );
    assert.deepEqual(codes, []);
    assert.deepEqual(row, {
      id: id('a', 1),
      name_id: id('d', 1),
      project_id: PROJECT,
      user_id: USER,
      name: 'database',
      description: null,
      size_gib: 3,
      status: 'available',
      previous_status: null,
      attach_status: 'detached',
      migration_status: 'success',
      host: HOST,
      availability_zone: 'nova',
      volume_type_id: TYPE,
      snapshot_id: id('b', 9),
      source_volid: id('a', 9),
      group_id: null,
      bootable: 1,
      multiattach: 1,
      use_quota: 1,
      encryption_key_id: id('5', 1),
      replication_status: 'disabled',
      provider_location: '{"saved_features":61}',
      provider_id: 'p',
      provider_auth: 'CHAP user word',
      managed_ref: null,
      metadata: '{"k":"v"}',
      admin_metadata: '{"readonly":"False"}',
      image_metadata: `{"image_id":"${id('6', 1)}"}`,
      next_image_metadata: null,
      created_at: MADE,
      updated_at: CHANGED,
      scheduled_at: '2024-03-01T09:15:23.000000',
      launched_at: CHANGED,
      terminated_at: null,
    });
  });

  const found = (row: Partial<CinderRows['volumes']>, of = {}, onBackend?: OnBackend) =>
    taken(mapVolume(cinderVolume(row, of), aWorld(), onBackend));

  test('whose type was never there is kept out, and comes in as the type that is said', () => {
    const volume = cinderVolume({ volume_type_id: id('0', 1) });
    assert.deepEqual(
      [refused(mapVolume(volume, aWorld())).code, refused(mapVolume(volume, aWorld())).settledBy],
      ['type-missing', '--adopt-type'],
    );
    const { row, codes } = taken(mapVolume(volume, aWorld({ adoptType: TYPE })));
    assert.deepEqual([row.volume_type_id, codes], [TYPE, ['type-missing']]);
  });

  test('whose type is deleted comes in', () => {
    const world = aWorld({}, { types: [aType({ deleted: true })] });
    assert.equal(taken(mapVolume(cinderVolume(), world)).row.volume_type_id, TYPE);
  });

  test('without a size is kept out, with the size of its image where that is known', () => {
    const volume = cinderVolume({ size: null });
    assert.equal(refused(mapVolume(volume, aWorld())).code, 'size-missing');
    assert.match(refused(mapVolume(volume, aWorld(), { bytes: 4 * GIB + 1 })).next, /to 5, the GiB of its image/);
  });

  test('whose image is of another size comes in with its own, named', () => {
    const { row, codes } = found({ size: 3 }, {}, { bytes: 5 * GIB });
    assert.deepEqual([row.size_gib, codes], [3, ['size-differs']]);
  });

  test('without a user comes in', () => {
    const { row, codes } = found({ user_id: null });
    assert.deepEqual([row.user_id, codes], [null, []]);
  });

  test('of a status that does not exist is kept out', () => {
    for (const status of ['failed', '', null])
      assert.equal(refused(mapVolume(cinderVolume({ status }), aWorld())).code, 'status-unknown');
  });

  test('in use without an attachment, or free with one, comes in as it is, named', () => {
    const lonely = found({ status: 'in-use', attach_status: 'attached' });
    assert.deepEqual([lonely.row.status, lonely.codes], ['in-use', ['in-use-unattached']]);
    const free = found({}, { attachments: [anAttachment()] });
    assert.deepEqual([free.row.status, free.codes], ['available', ['attached-yet-free']]);
    assert.deepEqual(
      found({ status: 'in-use', attach_status: 'attached' }, { attachments: [anAttachment()] }).codes,
      [],
    );
  });

  test('awaiting a transfer that is not there becomes available', () => {
    const { row, codes } = found({ status: 'awaiting-transfer' });
    assert.deepEqual([row.status, codes], ['available', ['transfer-missing']]);
    const offered = found({ status: 'awaiting-transfer' }, { isOffered: true });
    assert.deepEqual([offered.row.status, offered.codes], ['awaiting-transfer', []]);
  });

  test('with a key twice has the later value; keys that differ in case are two', () => {
    const values = [
      aValue('volume_id', id('a', 1), 7, 'k', 'later'),
      aValue('volume_id', id('a', 1), 3, 'k', 'earlier'),
      aValue('volume_id', id('a', 1), 4, 'K', 'other'),
    ];
    const { row, codes } = found({}, { metadata: values });
    assert.deepEqual([row.metadata, codes], ['{"K":"other","k":"later"}', ['key-twice']]);
  });

  for (const [status, previous, becomes] of [
    ['creating', null, 'error'],
    ['downloading', null, 'error'],
    ['deleting', 'available', 'error_deleting'],
    ['extending', 'available', 'error_extending'],
    ['uploading', 'in-use', 'in-use'],
    ['uploading', null, 'available'],
    ['backing-up', 'in-use', 'in-use'],
    ['backing-up', 'backing-up', 'available'],
    ['retyping', 'available', 'available'],
    ['reverting', 'available', 'error'],
    ['restoring-backup', null, 'error_restoring'],
    ['managing', null, 'error_managing'],
    ['unmanaging', null, 'error_unmanaging'],
  ] as const) {
    test(`that is ${status}, and was ${previous}, becomes ${becomes} when nobody is at it any more`, () => {
      const { row, codes } = found({ status, previous_status: previous });
      assert.deepEqual([row.status, row.previous_status, row.use_quota], [becomes, null, 1]);
      assert.ok(codes.includes('at-work'));
    });
  }

  for (const status of ['attaching', 'detaching', 'reserved', 'maintenance', 'error', 'error_deleting']) {
    test(`that is ${status} stays so: its clients, or an operator, lead it on`, () => {
      const { row, codes } = found({ status });
      assert.deepEqual([row.status, codes], [status, []]);
    });
  }

  test('in the middle of a migration is named, as is the one it was to become, outside of the quota', () => {
    const source = found({ status: 'available', migration_status: 'migrating' });
    assert.deepEqual(
      [source.row.status, source.row.migration_status, source.codes],
      ['available', 'error', ['half-migrated']],
    );
    const target = found({ status: 'available', migration_status: `target:${id('a', 2)}`, use_quota: null });
    assert.deepEqual([target.row.status, target.row.use_quota, target.codes], ['error', 0, ['half-migrated']]);
  });

  test('that does not say whether it counts does not when it is temporary', () => {
    assert.equal(found({ use_quota: null }).row.use_quota, 1);
    const temporary = [aValue('volume_id', id('a', 1), 1, 'temporary', 'True')];
    assert.equal(found({ use_quota: null }, { adminMetadata: temporary }).row.use_quota, 0);
    assert.equal(found({ use_quota: false }).row.use_quota, 0);
  });

  test('on no host comes in as an error, and is kept out as anything else', () => {
    assert.equal(found({ host: null, status: 'error' }).row.host, null);
    assert.equal(found({ host: null, status: 'creating' }).row.status, 'error');
    assert.equal(refused(mapVolume(cinderVolume({ host: null }), aWorld())).code, 'host-missing');
  });

  test('on a host that no map names is kept out, and comes in by a map; in a cluster that is what counts', () => {
    const other = cinderVolume({ host: 'control9@lvm#lvm' });
    assert.equal(refused(mapVolume(other, aWorld())).settledBy, '--map-host');
    const hosts = new Map([['control9@lvm', 'control1@rbd1']]);
    assert.equal(taken(mapVolume(other, aWorld({ hosts }))).row.host, 'control1@rbd1#lvm');
    const clustered = cinderVolume({ host: 'control9@lvm#lvm', cluster_name: 'control1@rbd1#rbd1' });
    assert.equal(taken(mapVolume(clustered, aWorld())).row.host, HOST);
  });

  test('on a backend that was failed over is kept out', () => {
    const world = { ...aWorld(), failedOver: new Set(['control1@rbd1']) };
    assert.match(refused(mapVolume(cinderVolume(), world)).next, /failover-host/);
  });

  test('whose image is not there comes in as it is, named', () => {
    const lost = found({}, {}, 'absent');
    assert.deepEqual([lost.row.status, lost.codes], ['available', ['image-missing']]);
    assert.deepEqual(found({}, {}, { bytes: 3 * GIB }).codes, []);
    assert.deepEqual(found({ status: 'error_deleting' }, {}, 'absent').codes, []);
  });

  test('that is encrypted with the fixed key is kept out', () => {
    const volume = cinderVolume({ encryption_key_id: '00000000-0000-0000-0000-000000000000' });
    assert.match(refused(mapVolume(volume, aWorld())).next, /Barbican/);
  });

  test('that does not say when it was made has the oldest time known of it', () => {
    const { row, codes } = found({ created_at: null });
    assert.deepEqual([row.created_at, codes], ['2024-03-01T09:15:23.000000', ['created-unknown']]);
    const never = found({ created_at: null, scheduled_at: null, launched_at: null, updated_at: null });
    assert.equal(never.row.created_at, NOW);
  });

  test('without a project is kept out', () => {
    assert.equal(refused(mapVolume(cinderVolume({ project_id: null }), aWorld())).code, 'project-missing');
  });

  test('in a consistency group comes in without it', () => {
    assert.deepEqual(found({ consistencygroup_id: id('4', 1) }).codes, ['consistency-group']);
  });

  test('of an attach status that does not exist has that of its attachments', () => {
    const { row, codes } = found({ attach_status: null });
    assert.deepEqual([row.attach_status, codes], ['detached', ['attach-status-unknown']]);
  });
});

describe('a snapshot', () => {
  const snapshot = (
    row: Partial<CinderRows['snapshots']> = {},
    volume: Partial<CinderRows['volumes']> | null = {},
  ) => ({
    row: aSnapshot(row),
    volume: volume === null ? undefined : aVolume(volume),
    metadata: [],
    imageMetadata: [],
  });

  test('comes in with what it says, and its type', () => {
    const { row, codes } = taken(
      mapSnapshot(snapshot({ provider_auth: 'CHAP a b', group_snapshot_id: id('3', 1) }), aWorld()),
    );
    assert.deepEqual(codes, []);
    assert.deepEqual(row, {
      id: id('b', 1),
      project_id: PROJECT,
      user_id: USER,
      volume_id: id('a', 1),
      volume_type_id: TYPE,
      volume_size_gib: 3,
      name: null,
      description: null,
      status: 'available',
      progress: '100%',
      group_snapshot_id: id('3', 1),
      use_quota: 1,
      encryption_key_id: null,
      provider_location: null,
      provider_id: null,
      provider_auth: 'CHAP a b',
      managed_ref: null,
      metadata: '{}',
      image_metadata: null,
      created_at: MADE,
      updated_at: CHANGED,
    });
  });

  test('that lives under a deleted volume is kept out with the name of its object, and brings the volume back where that is said', () => {
    const orphan = snapshot({}, { deleted: true, status: 'deleted', attach_status: 'detached', _name_id: id('d', 1) });
    const { code, next, settledBy } = refused(mapSnapshot(orphan, aWorld()));
    assert.deepEqual([code, settledBy], ['volume-deleted', '--revive']);
    assert.match(next, new RegExp(`volume-${id('d', 1)}@snapshot-${id('b', 1)}`));
    const world = aWorld({ revive: true });
    assert.deepEqual(taken(mapSnapshot(orphan, world)).codes, []);
    const volume = taken(mapVolume(cinderVolume({ deleted: true, status: 'deleted' }), world));
    assert.deepEqual([volume.row.status, volume.codes], ['error', ['volume-deleted']]);
  });

  test('of a volume that cannot come in, or was never there, cannot either', () => {
    const held = refused(mapSnapshot(snapshot({}, { volume_type_id: id('0', 1) }), aWorld()));
    assert.deepEqual([held.code, held.settledBy], ['volume-refused', '--adopt-type']);
    assert.equal(refused(mapSnapshot(snapshot({}, null), aWorld())).code, 'volume-missing');
  });

  for (const [status, becomes] of [
    ['creating', 'error'],
    ['deleting', 'error_deleting'],
    ['backing-up', 'available'],
    ['restoring', 'available'],
    ['unmanaging', 'error_unmanaging'],
  ] as const) {
    test(`that is ${status} becomes ${becomes} when nobody is at it any more`, () => {
      const { row, codes } = taken(mapSnapshot(snapshot({ status }), aWorld()));
      assert.deepEqual([row.status, codes], [becomes, ['at-work']]);
    });
  }

  test('without size or type has its volume’s; without an image it is named', () => {
    assert.equal(taken(mapSnapshot(snapshot({ volume_size: null }), aWorld())).row.volume_size_gib, 3);
    assert.equal(taken(mapSnapshot(snapshot({ volume_type_id: id('0', 1) }), aWorld())).row.volume_type_id, TYPE);
    assert.deepEqual(taken(mapSnapshot(snapshot(), aWorld(), 'absent')).codes, ['image-missing']);
    assert.equal(refused(mapSnapshot(snapshot({ status: 'gone' }), aWorld())).code, 'status-unknown');
  });
});

describe('an attachment', () => {
  const mapped = (of: Partial<CinderRows['volume_attachment']>) =>
    taken(mapAttachment(anAttachment(of), PROJECT, { now: NOW }));

  test('of the attachment calls has its connection in parts, and the secret apart', () => {
    const { row, codes } = mapped({
      connector: '{"host": "compute1", "mode": null}',
      connection_info: JSON.stringify({
        target_portal: '192.0.2.1:3260',
        auth_method: 'CHAP',
        auth_username: 'u',
        auth_password: 'open sesame',
        driver_volume_type: 'iscsi',
        attachment_id: id('c', 1),
      }),
    });
    assert.deepEqual(codes, []);
    assert.deepEqual(JSON.parse(row?.connection_info ?? ''), {
      driver_volume_type: 'iscsi',
      data: { target_portal: '192.0.2.1:3260', auth_method: 'CHAP', auth_username: 'u' },
    });
    assert.deepEqual(
      [row?.secret, row?.connector, row?.taken_over],
      ['open sesame', '{"host":"compute1","mode":null}', 1],
    );
    assert.deepEqual([row?.project_id, row?.attached_at], [PROJECT, CHANGED]);
  });

  test('of the old way has neither', () => {
    const { row, codes } = mapped({});
    assert.deepEqual([row?.connection_info, row?.connector, row?.secret, codes], [null, null, '', []]);
  });

  test('that is only reserved has no connection yet', () => {
    const { row } = mapped({ attach_status: 'reserved', connection_info: '{}', attach_time: null });
    assert.deepEqual([row?.connection_info, row?.attached_at], [null, null]);
  });

  for (const text of ['{"driver_volume_type": "rbd", "name": "vol', '[]', '7', 'None']) {
    test(`whose connection is ${text} comes in without, and its host attaches again`, () => {
      const { row, codes, does } = mapped({ connection_info: text });
      assert.deepEqual([row?.connection_info, codes], [null, ['connection-cut']]);
      assert.match(does[0] ?? '', /detach the volume and attach it again/);
    });
  }

  test('whose connector is cut comes in without', () => {
    assert.deepEqual(mapped({ connector: '{"host"' }).codes, ['connector-cut']);
  });

  test('that is over, and was not removed, is left out; of a status that does not exist it is kept out', () => {
    assert.deepEqual(
      [mapped({ attach_status: 'detached' }).row, mapped({ attach_status: 'detached' }).codes],
      [undefined, ['attachment-over']],
    );
    assert.equal(
      refused(mapAttachment(anAttachment({ attach_status: null }), PROJECT, { now: NOW })).code,
      'attach-status-unknown',
    );
  });
});

describe('types', () => {
  const none = { extraSpecs: [], access: [], encryption: [], defaults: [], qosSpecs: [] };

  test('that are deleted and used keep their names with their ids behind, for nobody', () => {
    const types = [aType(), aType({ id: id('7', 2), deleted: true })];
    const { rows, findings } = mapTypes({ ...none, types }, aWorld({}, { types }));
    assert.deepEqual(
      rows.volume_type.map(({ name, is_public }) => [name, is_public]),
      [
        ['ssd', 1],
        [`ssd (deleted ${id('7', 2)})`, 0],
      ],
    );
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['type-deleted'],
    );
  });

  test('that are called alike are told apart', () => {
    const types = [aType(), aType({ id: id('7', 2) })];
    const { rows, findings } = mapTypes({ ...none, types }, aWorld({}, { types }));
    assert.deepEqual(
      rows.volume_type.map(({ name }) => name),
      ['ssd', `ssd (${id('7', 2)})`],
    );
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['type-name-twice'],
    );
  });

  const spec = (row: number, specs_id: string | null, key: string, value: string) => ({
    created_at: MADE,
    updated_at: null,
    id: specs_id === null ? id('2', row) : id('1', row),
    specs_id,
    key,
    value,
  });

  test('have QoS specs of a parent and its children; without a consumer it is the back-end', () => {
    const qosSpecs = [
      spec(1, null, 'QoS_Specs_Name', 'gold'),
      spec(1, id('2', 1), 'consumer', 'front-end'),
      spec(2, id('2', 1), 'total_iops_sec', '500'),
      spec(2, null, 'QoS_Specs_Name', 'odd'),
      spec(3, id('2', 2), 'maxIOPS', '9'),
    ];
    const types = [
      aType({ qos_specs_id: id('2', 1) }),
      aType({ id: id('7', 2), name: 'hdd', qos_specs_id: id('2', 3) }),
    ];
    const { rows, findings } = mapTypes({ ...none, qosSpecs, types }, aWorld({}, { types }));
    assert.deepEqual(
      rows.qos_specs.map(({ name, consumer, specs }) => [name, consumer, specs]),
      [
        ['gold', 'front-end', '{"total_iops_sec":"500"}'],
        ['odd', 'back-end', '{"maxIOPS":"9"}'],
      ],
    );
    assert.deepEqual(
      rows.volume_type.map(({ qos_specs_id }) => qos_specs_id),
      [id('2', 1), null],
    );
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['consumer-missing', 'qos-missing'],
    );
  });

  test('have access, encryption and defaults, but for those of types that are gone', () => {
    const types = [aType({ is_public: false })];
    const encryption = {
      created_at: MADE,
      updated_at: null,
      encryption_id: id('0', 1),
      volume_type_id: TYPE,
      provider: 'luks',
      control_location: 'front-end',
      cipher: null,
      key_size: 256,
    };
    const { rows } = mapTypes(
      {
        ...none,
        types,
        extraSpecs: [aValue('volume_type_id', TYPE, 1, 'volume_backend_name', 'rbd')],
        access: [
          { id: 1, volume_type_id: TYPE, project_id: 'p' },
          { id: 2, volume_type_id: TYPE, project_id: 'p' },
          { id: 3, volume_type_id: id('7', 9), project_id: 'p' },
        ],
        encryption: [encryption, { ...encryption, encryption_id: id('0', 2), volume_type_id: id('7', 9) }],
        defaults: [
          { project_id: 'p', volume_type_id: TYPE },
          { project_id: 'q', volume_type_id: null },
        ],
      },
      aWorld({}, { types }),
    );
    assert.deepEqual(rows.volume_type[0]?.extra_specs, '{"volume_backend_name":"rbd"}');
    assert.deepEqual(rows.volume_type_access, [{ volume_type_id: TYPE, project_id: 'p' }]);
    assert.deepEqual(rows.volume_type_encryption, [encryption]);
    assert.deepEqual(rows.default_volume_type, [{ project_id: 'p', volume_type_id: TYPE }]);
  });
});

describe('groups and their snapshots', () => {
  const group = (of: Partial<CinderRows['groups']> = {}): CinderRows['groups'] => ({
    created_at: MADE,
    updated_at: null,
    id: id('4', 1),
    user_id: USER,
    project_id: PROJECT,
    host: HOST,
    cluster_name: null,
    availability_zone: 'nova',
    name: 'g',
    description: null,
    group_type_id: GROUP_TYPE,
    status: 'available',
    group_snapshot_id: null,
    source_group_id: null,
    replication_status: 'disabled',
    ...of,
  });
  const snapshot = (of: Partial<CinderRows['group_snapshots']> = {}): CinderRows['group_snapshots'] => ({
    created_at: MADE,
    updated_at: null,
    id: id('3', 1),
    group_id: id('4', 1),
    user_id: null,
    project_id: PROJECT,
    name: null,
    description: null,
    status: 'available',
    group_type_id: GROUP_TYPE,
    ...of,
  });

  test('come in with the types of their volumes', () => {
    const { row, codes } = taken(mapGroup({ row: group(), typeIds: [TYPE, TYPE, id('7', 9)] }, aWorld()));
    assert.deepEqual([row.volume_type_ids, row.host, codes], [JSON.stringify([TYPE]), HOST, ['type-missing']]);
    const of = taken(mapGroupSnapshot({ row: snapshot(), group: group() }, aWorld()));
    assert.deepEqual([of.row.group_type_id, of.row.user_id], [GROUP_TYPE, null]);
  });

  test('are kept out with a type that was never there, a host that no map names, or a group that does not come in', () => {
    const world = aWorld();
    const verdicts = [
      mapGroup({ row: group({ group_type_id: id('8', 9) }), typeIds: [] }, world),
      mapGroup({ row: group({ host: 'control9@lvm' }), typeIds: [] }, world),
      mapGroup({ row: group({ status: 'odd' }), typeIds: [] }, world),
      mapGroupSnapshot({ row: snapshot(), group: undefined }, world),
      mapGroupSnapshot({ row: snapshot(), group: group({ host: 'control9@lvm' }) }, world),
      mapGroupSnapshot({ row: snapshot({ status: null }), group: group() }, world),
    ];
    assert.deepEqual(
      verdicts.map((verdict) => refused<unknown>(verdict).code),
      ['type-missing', 'host-unmapped', 'status-unknown', 'group-missing', 'group-refused', 'status-unknown'],
    );
  });

  test('that Cinder was at become errors', () => {
    assert.equal(taken(mapGroup({ row: group({ status: 'creating' }), typeIds: [] }, aWorld())).row.status, 'error');
    const of = taken(mapGroupSnapshot({ row: snapshot({ status: 'deleting' }), group: group() }, aWorld()));
    assert.equal(of.row.status, 'error_deleting');
  });
});

describe('what else a Cinder database holds', () => {
  test('a transfer keeps its key as Cinder hashed it; of two the newer counts, and one without a key is left out', () => {
    const transfer = (n: number, of: Partial<CinderRows['transfers']> = {}): CinderRows['transfers'] => ({
      created_at: `2024-03-0${n}T00:00:00.000000`,
      updated_at: null,
      id: id('f', n),
      volume_id: id('a', 1),
      display_name: 't',
      salt: 'deadbeef',
      crypt_hash: 'a'.repeat(40),
      expires_at: null,
      no_snapshots: null,
      source_project_id: null,
      destination_project_id: null,
      accepted: false,
      ...of,
    });
    const { row, findings } = mapTransfers([transfer(2), transfer(1), transfer(3, { crypt_hash: null })], PROJECT, {
      now: NOW,
    });
    assert.deepEqual(row, {
      id: id('f', 2),
      volume_id: id('a', 1),
      name: 't',
      no_snapshots: 0,
      source_project_id: PROJECT,
      salt: 'deadbeef',
      key_hash: 'a'.repeat(40),
      scheme: 'cinder',
      created_at: '2024-03-02T00:00:00.000000',
    });
    assert.deepEqual(
      findings.map(({ code, id: of }) => [code, of]),
      [
        ['transfer-twice', id('f', 2)],
        ['key-missing', id('f', 3)],
      ],
    );
  });

  test('a backup comes in as it is, and says when nothing here can read it', () => {
    const backup = (of: Partial<CinderRows['backups']>): CinderRows['backups'] => ({
      created_at: MADE,
      updated_at: null,
      id: id('b', 1),
      volume_id: id('a', 1),
      snapshot_id: null,
      parent_id: null,
      user_id: USER,
      project_id: PROJECT,
      host: 'control1',
      availability_zone: 'nova',
      display_name: null,
      display_description: null,
      container: 'volumebackups',
      status: 'available',
      fail_reason: null,
      service: 'cinder.backup.drivers.swift.SwiftBackupDriver',
      service_metadata: 'volume_x/20240301/az_nova_backup_y',
      size: 3,
      object_count: 4,
      data_timestamp: MADE,
      restore_volume_id: null,
      temp_volume_id: null,
      temp_snapshot_id: null,
      encryption_key_id: null,
      ...of,
    });
    const map = (of: Partial<CinderRows['backups']>) => mapBackup({ row: backup(of), metadata: [] }, { now: NOW });
    assert.deepEqual(taken(map({})).codes, []);
    assert.deepEqual(taken(map({ service: 'cinder.backup.drivers.ceph.CephBackupDriver' })).codes, ['backup-driver']);
    assert.deepEqual(taken(map({ status: 'restoring' })).row.status, 'available');
    assert.deepEqual(taken(map({ status: 'creating', object_count: null })).row.status, 'error');
    assert.deepEqual(taken(map({ temp_volume_id: id('a', 5), size: null })).codes, ['size-missing', 'left-by-backup']);
    assert.equal(refused(map({ status: 'odd' })).code, 'status-unknown');
  });

  test('a limit without a number is none, and of one that is said twice the later counts', () => {
    const limit = (row: number, resource: string, hard_limit: number | null) => ({
      id: row,
      project_id: 'p',
      resource,
      hard_limit,
    });
    const { rows, findings } = mapLimits(
      [limit(1, 'volumes', 5), limit(2, 'volumes', 7), limit(3, 'gigabytes', null), limit(4, 'consistencygroups', 3)],
      [{ id: 1, class_name: 'default', resource: 'volumes', hard_limit: 10 }],
    );
    assert.deepEqual(rows.quota_limit, [{ project_id: 'p', resource: 'volumes', hard_limit: 7 }]);
    assert.deepEqual(rows.quota_class_limit, [{ class_name: 'default', resource: 'volumes', hard_limit: 10 }]);
    assert.deepEqual(
      findings.map(({ code, id: of }) => [code, of]),
      [['limit-null', '3']],
    );
  });

  test('a service keeps its id and what was said of it, where its host is one here', () => {
    const service = (of: Partial<CinderRows['services']>): CinderRows['services'] => ({
      created_at: MADE,
      updated_at: CHANGED,
      id: 1,
      host: 'control1@rbd1',
      binary: 'cinder-volume',
      uuid: id('9', 1),
      availability_zone: 'nova',
      disabled: true,
      disabled_reason: 'full',
      frozen: null,
      cluster_name: null,
      replication_status: null,
      active_backend_id: null,
      ...of,
    });
    const rows = mapServices(
      [
        service({}),
        service({ uuid: id('9', 2), updated_at: '2020-01-01T00:00:00.000000' }),
        service({ host: 'control9@lvm' }),
        service({ host: 'control1', binary: 'cinder-scheduler' }),
      ],
      settings(),
    );
    assert.deepEqual(
      rows.map(({ host, uuid, disabled, disabled_reason, frozen }) => [host, uuid, disabled, disabled_reason, frozen]),
      [['control1@rbd1', id('9', 1), 1, 'full', 0]],
    );
  });
});

describe('the host map', () => {
  test('is asked by the pool, then by the host; names may hold colons', () => {
    const hosts = new Map([
      ['rbd:volumes@rbd1', 'node1@ceph'],
      ['rbd:volumes@rbd1#old', 'node1@ceph#new'],
    ]);
    assert.equal(mappedHost(hosts, 'rbd:volumes@rbd1#rbd1'), 'node1@ceph#rbd1');
    assert.equal(mappedHost(hosts, 'rbd:volumes@rbd1#old'), 'node1@ceph#new');
    assert.equal(mappedHost(hosts, 'rbd:volumes@rbd1'), 'node1@ceph');
    assert.equal(mappedHost(hosts, 'node2@rbd1#rbd1'), undefined);
  });
});
