/**
 * Whatever stands in a row of Cinder's, it becomes a row that our tables take, or is refused: nothing throws, and nothing that may not be null
 * is null. Values are drawn by the kinds of the columns, among them those that decide something.
 */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import {
  CINDER_TABLES,
  type CinderRows,
  type CinderTable,
  type ColumnKind,
} from '../../src/import/cinder/cinder-tables.ts';
import { mapAttachment } from '../../src/import/map/attachments.ts';
import { mapBackup } from '../../src/import/map/backups.ts';
import { mapGroupTypes } from '../../src/import/map/group-types.ts';
import { mapGroup, mapGroupSnapshot } from '../../src/import/map/groups.ts';
import { mapMessage } from '../../src/import/map/messages.ts';
import { mapLimits } from '../../src/import/map/quota-limits.ts';
import { mapServices } from '../../src/import/map/services.ts';
import { mapSnapshot } from '../../src/import/map/snapshots.ts';
import { mapTransfers } from '../../src/import/map/transfers.ts';
import { mapTypes } from '../../src/import/map/types.ts';
import type { ImportedTable } from '../../src/import/map/verdict.ts';
import { mapVolume } from '../../src/import/map/volumes.ts';
import { freshSqlite } from '../databases.ts';
import { HOST, PROJECT } from './cinder-rows.ts';
import { aGroupType, aType, aWorld, GROUP_TYPE, NOW, TYPE } from './mapped-rows.ts';

const TEXTS = [
  '',
  'x',
  HOST,
  'elsewhere@b',
  TYPE,
  GROUP_TYPE,
  PROJECT,
  ...[
    'available',
    'in-use',
    'creating',
    'deleting',
    'error',
    'awaiting-transfer',
    'backing-up',
    'attached',
    'detached',
    'reserved',
    'deleted',
  ],
  ...[
    'target:x',
    'migrating',
    'success',
    'rw',
    'ro',
    'cinder-volume',
    'temporary',
    'True',
    'consumer',
    'QoS_Specs_Name',
    '__proto__',
    'constructor',
  ],
  ...['{}', 'null', '[]', '{"driver_volume_type": "rbd", "auth_password": 5}', '{"driver_volume_type": 7}', '{"cut'],
  '00000000-0000-0000-0000-000000000000',
  'a'.repeat(40),
  'naïve ☂ \u0000 \u001b',
];

const OF_KIND: { readonly [Kind in 'text' | 'number' | 'flag' | 'time']: fc.Arbitrary<unknown> } = {
  text: fc.constantFrom(...TEXTS),
  number: fc.constantFrom(-3, 0, 1, 7, 2_147_483_647),
  flag: fc.boolean(),
  time: fc.constantFrom('1970-01-01T00:00:00.000000', '2024-03-01T09:15:22.000000', '2099-01-01T00:00:00.123456'),
};

/** Where only few values let a row in, these are drawn as often as any other. */
const LIKELY: Readonly<Record<string, readonly string[]>> = {
  status: ['available', 'in-use', 'creating', 'deleting', 'awaiting-transfer', 'backing-up', 'error'],
  attach_status: ['attached', 'detached', 'reserved'],
  host: [HOST],
  cluster_name: [HOST],
  project_id: [PROJECT],
  volume_type_id: [TYPE, 'x'],
  group_type_id: [GROUP_TYPE],
  crypt_hash: ['a'.repeat(40)],
  binary: ['cinder-volume'],
};

function anyRow<T extends CinderTable>(table: T): fc.Arbitrary<CinderRows[T]> {
  const columns = Object.entries<ColumnKind>(CINDER_TABLES[table].columns).map(([column, kind]) => {
    const any = OF_KIND[kind.replace('?', '') as keyof typeof OF_KIND];
    const likely = LIKELY[column];
    const value = likely === undefined ? any : fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...likely) }, any);
    return [column, kind.endsWith('?') ? fc.option(value, { freq: 8 }) : value] as const;
  });
  return fc.record(Object.fromEntries(columns)) as unknown as fc.Arbitrary<CinderRows[T]>;
}

const some = <T extends CinderTable>(table: T) => fc.array(anyRow(table), { maxLength: 4 });
const onBackend = fc.constantFrom(undefined, 'absent' as const, { bytes: 1 }, { bytes: 7 * 1024 ** 3 });
const world = aWorld({}, { types: [aType(), aType({ id: 'x', deleted: true })], groupTypes: [aGroupType()] });

/** Columns of each of our tables, and whether each may be null. */
const ours = new Map<string, ReadonlyMap<string, boolean>>();

/** Rows that came in, by table. */
const taken = new Map<string, number>();

function takes(table: ImportedTable, row: object): void {
  taken.set(table, (taken.get(table) ?? 0) + 1);
  const columns = ours.get(table);
  assert.ok(columns !== undefined, table);
  const wanted = [...columns.keys()].filter((column) => column !== 'revision').sort();
  assert.deepEqual(Object.keys(row).sort(), wanted, table);
  for (const [column, value] of Object.entries(row)) {
    assert.ok(value !== undefined, `${table}.${column} is undefined`);
    assert.ok(value !== null || columns.get(column) === true, `${table}.${column} is null`);
    assert.ok(
      value === null || typeof value === 'string' || Number.isSafeInteger(value),
      `${table}.${column} is ${value}`,
    );
  }
}

type Judged = { readonly row: object | undefined; readonly findings: readonly object[] } | { readonly refused: object };

function judged(table: ImportedTable, verdict: Judged): void {
  if ('refused' in verdict) told([verdict.refused]);
  else {
    told(verdict.findings);
    if (verdict.row !== undefined) takes(table, verdict.row);
  }
}

const told = (all: readonly object[]): void => {
  for (const each of all) for (const text of Object.values(each)) assert.equal(typeof text, 'string');
};

function whole(rows: Readonly<Record<string, readonly object[]>>): void {
  for (const [table, all] of Object.entries(rows)) for (const row of all) takes(table as ImportedTable, row);
}

describe('any row of Cinder’s becomes one of ours, or is refused', () => {
  before(async () => {
    const { url, remove } = await freshSqlite();
    const db = new DatabaseSync(url.slice('sqlite:'.length), { readOnly: true });
    for (const { name } of db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()) {
      const columns = db.prepare('SELECT name, "notnull" AS sure, pk FROM pragma_table_info(?)').all(String(name));
      ours.set(String(name), new Map(columns.map((each) => [String(each.name), each.sure === 0 && each.pk === 0])));
    }
    db.close();
    await remove();
  });

  const prove = <T>(name: string, arbitrary: fc.Arbitrary<T>, does: (value: T) => void): void => {
    test(name, () => fc.assert(fc.property(arbitrary, does), { numRuns: 500 }));
  };

  prove(
    'volumes',
    fc.record({
      row: anyRow('volumes'),
      metadata: some('volume_metadata'),
      adminMetadata: some('volume_admin_metadata'),
      imageMetadata: some('volume_glance_metadata'),
      attachments: some('volume_attachment'),
      isOffered: fc.boolean(),
      there: onBackend,
    }),
    ({ there, ...volume }) => judged('volume', mapVolume(volume, world, there)),
  );
  prove('attachments', anyRow('volume_attachment'), (row) =>
    judged('volume_attachment', mapAttachment(row, PROJECT, { now: NOW })),
  );
  prove(
    'snapshots',
    fc.record({
      row: anyRow('snapshots'),
      volume: fc.option(anyRow('volumes'), { nil: undefined, freq: 9 }),
      metadata: some('snapshot_metadata'),
      imageMetadata: some('volume_glance_metadata'),
      there: onBackend,
    }),
    ({ there, ...snapshot }) => judged('snapshot', mapSnapshot(snapshot, world, there)),
  );
  prove(
    'groups',
    fc.record({ row: anyRow('groups'), typeIds: fc.array(fc.constantFrom(...TEXTS), { maxLength: 3 }) }),
    (group) => judged('volume_group', mapGroup(group, world)),
  );
  prove(
    'group snapshots',
    fc.record({ row: anyRow('group_snapshots'), group: fc.option(anyRow('groups'), { nil: undefined, freq: 9 }) }),
    (snapshot) => judged('group_snapshot', mapGroupSnapshot(snapshot, world)),
  );
  prove('transfers', some('transfers'), (rows) => judged('transfer', mapTransfers(rows, PROJECT, { now: NOW })));
  prove('backups', fc.record({ row: anyRow('backups'), metadata: some('backup_metadata') }), (backup) =>
    judged('backup', mapBackup(backup, { now: NOW })),
  );
  prove('messages', anyRow('messages'), (row) =>
    judged('message', { row: mapMessage(row, { now: NOW }), findings: [] }),
  );
  prove('services', some('services'), (rows) => whole({ service: mapServices(rows, world.settings) }));
  prove('limits', fc.record({ quotas: some('quotas'), classes: some('quota_classes') }), ({ quotas, classes }) => {
    const { rows, findings } = mapLimits(quotas, classes);
    whole(rows);
    told(findings);
  });
  prove(
    'types',
    fc.record({
      types: some('volume_types'),
      extraSpecs: some('volume_type_extra_specs'),
      access: some('volume_type_projects'),
      encryption: some('encryption'),
      defaults: some('default_volume_types'),
      qosSpecs: some('quality_of_service_specs'),
    }),
    (drawn) => {
      const of = { ...drawn, types: [aType(), ...drawn.types] };
      const { rows, findings } = mapTypes(of, aWorld({}, { types: of.types }));
      whole(rows);
      told(findings);
    },
  );
  prove(
    'group types',
    fc.record({ types: some('group_types'), specs: some('group_type_specs'), access: some('group_type_projects') }),
    (drawn) => {
      const of = { ...drawn, types: [aGroupType(), ...drawn.types] };
      const { rows, findings } = mapGroupTypes(of, aWorld({}, { groupTypes: of.types }));
      whole(rows);
      told(findings);
    },
  );

  test('and of each kind some have come in', () => {
    const few = [...ours.keys()].filter((table) => taken.has(table) && (taken.get(table) ?? 0) < 10);
    assert.deepEqual([few, taken.size], [[], 18]);
  });
});
