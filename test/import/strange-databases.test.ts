/**
 * Cinder databases as nobody here has seen them: years of upgrades broken off, of a vendor's patches, of rows mended by hand. None ends in a
 * stack trace, and each living row is in, or is named with what becomes of it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { exportToCinder } from '../../src/cli/import/export-cinder.ts';
import { importCheck } from '../../src/cli/import/import-check.ts';
import { run } from '../../src/cli/import/import-run.ts';
import { openDatabase } from '../../src/db/database.ts';
import { markTurned } from '../../src/db/import-progress.ts';
import { capturedCommand } from '../cli/captured.ts';
import { freshPostgresql, freshSqlite } from '../databases.ts';
import {
  attachmentRow,
  defaultTypeOf,
  deletedRow,
  HOST,
  id,
  MADE,
  PROJECT,
  snapshotRow,
  typeRow,
  valueRows,
  volumeRow,
} from './cinder-rows.ts';
import { type CinderDialect, type CinderWorld, cinderWorld, DIALECTS } from './cinder-world.ts';

const living = { created_at: MADE, updated_at: null, deleted_at: null, deleted: false };

/** What is wrong with a database, beside a volume that is well. */
type Scene = (world: CinderWorld, type: string) => Promise<void>;

const SCENES: Readonly<Record<string, Scene>> = {
  'half migrated, with rows of before and of after': async ({ run, insert, dialect }, type) => {
    const nullable = dialect === 'mysql' ? 'MODIFY use_quota tinyint(1) NULL' : 'ALTER use_quota DROP NOT NULL';
    for (const table of ['volumes', 'snapshots']) {
      await run(`ALTER TABLE ${table} ${nullable}`);
      await run(
        `ALTER TABLE ${table} ${nullable.replace('use_quota', 'volume_type_id').replace('tinyint(1)', 'varchar(36)')}`,
      );
    }
    const volume = (n: number, of: object) => volumeRow({ id: id('a', n), volume_type_id: type, ...of });
    await insert(
      'volumes',
      volume(2, { use_quota: null, shared_targets: null, multiattach: null, bootable: null, user_id: null }),
      volume(3, { use_quota: null, migration_status: `target:${id('a', 4)}`, host: null, status: 'creating' }),
      volume(4, { migration_status: 'migrating', volume_type_id: null, status: 'retyping' }),
      volume(5, {
        created_at: null,
        updated_at: null,
        scheduled_at: null,
        launched_at: null,
        replication_status: 'enabled',
      }),
      volume(6, { consistencygroup_id: id('6', 1), status: 'maintenance' }),
    );
    await insert('volume_admin_metadata', ...valueRows({ volume_id: id('a', 2) }, { temporary: 'True' }));
    await insert('consistencygroups', {
      ...living,
      id: id('6', 1),
      project_id: PROJECT,
      name: 'old',
      status: 'available',
    });
    await insert('cgsnapshots', {
      ...living,
      id: id('6', 2),
      project_id: PROJECT,
      name: 'old',
      consistencygroup_id: id('6', 1),
    });
    await insert(
      'snapshots',
      snapshotRow({
        id: id('b', 1),
        volume_id: id('a', 6),
        volume_type_id: null,
        use_quota: null,
        volume_size: null,
        cgsnapshot_id: id('6', 2),
      }),
    );
    await insert('quotas', { ...living, project_id: PROJECT, resource: 'consistencygroups', hard_limit: 10 });
    await run(`CREATE TABLE migrate_version (repository_id varchar(250) NOT NULL, version int)`);
    await run(`INSERT INTO migrate_version VALUES ('cinder', 145)`);
  },
  'patched by a vendor, whose columns and tables nobody else has': async ({ run, insert, dialect }, type) => {
    const columns = [
      'vendor_wwn varchar(64) NULL',
      "vendor_tier varchar(8) NOT NULL DEFAULT 'gold'",
      'vendor_score double precision NULL',
    ];
    for (const table of ['volumes', 'snapshots', 'volume_attachment', 'services'])
      for (const column of columns) await run(`ALTER TABLE ${table} ADD COLUMN ${column}`);
    await run('CREATE TABLE vendor_luns (lun int PRIMARY KEY, volume_id varchar(36) REFERENCES volumes (id))');
    await run(
      `CREATE TABLE ${dialect === 'mysql' ? '`select`' : '"select"'} (${dialect === 'mysql' ? '`order`' : '"order"'} int)`,
    );
    await insert(
      'volumes',
      volumeRow({
        id: id('a', 2),
        volume_type_id: type,
        provider_location: '10.0.0.1:3260,1 iqn.x 1',
        provider_auth: 'CHAP u planted-password',
        provider_geometry: 'x',
        vendor_wwn: '5000',
        vendor_score: 1.5,
      }),
      volumeRow({ id: id('a', 3), volume_type_id: type, status: 'vendor-syncing' }),
      volumeRow({
        id: id('a', 4),
        volume_type_id: type,
        attach_status: 'vendor-mapped',
        migration_status: 'vendor-copy',
      }),
    );
    await insert(
      'volume_metadata',
      ...valueRows({ volume_id: id('a', 2) }, { '': 'an empty key', 'vendor:λ': 'ünïcode', long: 'x'.repeat(255) }),
    );
    await insert('messages', {
      ...living,
      id: id('2', 1),
      project_id: PROJECT,
      request_id: null,
      resource_type: 'VENDOR_LUN',
      resource_uuid: null,
      event_id: 'VENDOR_999',
      message_level: 'NOTICE',
      expires_at: null,
      detail_id: 'v1',
      action_id: null,
    });
    await insert('backups', {
      ...living,
      id: id('3', 1),
      volume_id: id('9', 9),
      user_id: null,
      project_id: PROJECT,
      host: null,
      status: 'vendor-tiered',
      service: 'vendor.cinder.BackupDriver',
      size: null,
      object_count: null,
      parent_id: id('3', 8),
      data_timestamp: null,
    });
    await insert('backups', {
      ...living,
      id: id('3', 2),
      volume_id: id('a', 2),
      user_id: null,
      project_id: PROJECT,
      host: null,
      status: 'available',
      service: null,
      service_metadata: null,
      size: 1,
      object_count: null,
      parent_id: id('3', 8),
      data_timestamp: null,
    });
  },
  'of types that are deleted and used, called alike, or were never there': async ({ insert }, type) => {
    await insert(
      'volume_types',
      deletedRow(typeRow({ id: id('d', 1), name: 'fast', qos_specs_id: id('9', 1) })),
      deletedRow(typeRow({ id: id('d', 2), name: 'fast' })),
      typeRow({ id: id('d', 3), name: 'fast', qos_specs_id: id('9', 7) }),
      typeRow({ id: id('d', 4), name: null, is_public: null, created_at: null }),
      typeRow({ id: id('d', 5), name: '' }),
      typeRow({ id: id('d', 6), name: `fast (deleted ${id('d', 1)})` }),
    );
    await insert('quality_of_service_specs', {
      ...living,
      id: id('9', 1),
      specs_id: null,
      key: 'QoS_Specs_Name',
      value: 'q',
    });
    await insert('quality_of_service_specs', {
      ...living,
      id: id('9', 2),
      specs_id: null,
      key: 'QoS_Specs_Name',
      value: 'q',
    });
    await insert('quality_of_service_specs', {
      ...living,
      id: id('9', 3),
      specs_id: id('9', 8),
      key: 'consumer',
      value: 'both',
    });
    await insert('encryption', {
      ...living,
      encryption_id: id('8', 1),
      volume_type_id: id('d', 9),
      provider: 'luks',
      control_location: 'front-end',
    });
    await insert('encryption', {
      ...living,
      encryption_id: id('8', 2),
      volume_type_id: id('d', 3),
      provider: 'luks',
      control_location: 'front-end',
    });
    await insert('encryption', {
      ...living,
      encryption_id: id('8', 3),
      volume_type_id: id('d', 3),
      provider: 'plain',
      control_location: 'back-end',
    });
    await insert('default_volume_types', { ...living, project_id: PROJECT, volume_type_id: id('d', 9) });
    await insert('volume_type_projects', { ...living, deleted: 0, volume_type_id: id('d', 9), project_id: PROJECT });
    await insert('volume_type_projects', { ...living, deleted: 0, volume_type_id: id('d', 3), project_id: PROJECT });
    const all = [id('d', 1), id('d', 2), id('d', 3), id('d', 4), id('d', 5), id('d', 6), id('d', 9), '', type];
    await insert('volumes', ...all.map((each, n) => volumeRow({ id: id('a', n + 2), volume_type_id: each })));
    await insert(
      'snapshots',
      ...all.map((each, n) => snapshotRow({ id: id('b', n + 2), volume_id: id('a', n + 2), volume_type_id: each })),
    );
    await insert(
      'group_types',
      deletedRow({ ...living, id: id('7', 1), name: 'together', description: null, is_public: true }),
    );
    for (const [n, of] of [id('7', 1), id('7', 9)].entries())
      await insert('groups', {
        ...living,
        id: id('6', n + 1),
        user_id: null,
        project_id: PROJECT,
        host: HOST,
        name: null,
        group_type_id: of,
        status: 'available',
      });
    await insert('group_volume_type_mapping', { ...living, volume_type_id: id('d', 9), group_id: id('6', 1) });
  },
  'of hosts that are null, strange, clustered, or served by nobody': async ({ insert }, type) => {
    const hosts = [
      null,
      '',
      'control1',
      'control1@rbd1',
      '@#',
      '#pool',
      'a@b@c#d#e',
      'rbd:volumes@rbd1#p',
      'HOST with blanks@x#y',
      'ünï@kōd#é',
      'control1@rbd1#',
      `${'h'.repeat(200)}@b#p`,
    ];
    await insert('volumes', ...hosts.map((host, n) => volumeRow({ id: id('a', n + 2), volume_type_id: type, host })));
    await insert(
      'volumes',
      volumeRow({ id: id('a', 40), volume_type_id: type, host: null, cluster_name: 'cluster@rbd1#p' }),
    );
    await insert('volumes', volumeRow({ id: id('a', 41), volume_type_id: type, host: null, status: 'error' }));
    await insert('snapshots', snapshotRow({ id: id('b', 1), volume_id: id('a', 2), volume_type_id: type }));
    await insert('groups', {
      ...living,
      id: id('6', 1),
      user_id: null,
      project_id: PROJECT,
      host: 'nowhere@x#y',
      name: null,
      group_type_id: null,
      status: 'available',
    });
    await insert('group_snapshots', {
      ...living,
      id: id('5', 1),
      group_id: id('6', 1),
      user_id: null,
      project_id: PROJECT,
      status: 'available',
      group_type_id: null,
    });
    const service = {
      ...living,
      topic: 'cinder-volume',
      report_count: 0,
      disabled: null,
      availability_zone: null,
      frozen: null,
    };
    await insert(
      'services',
      { ...service, host: null, binary: null, uuid: null },
      { ...service, host: 'control1@rbd1', binary: 'cinder-volume', uuid: id('1', 1) },
      { ...service, host: 'control1@rbd1', binary: 'cinder-volume', uuid: id('1', 2), disabled: true },
      { ...service, host: 'rbd:volumes@rbd1', binary: 'cinder-volume', uuid: null, active_backend_id: 'dr-site' },
    );
  },
  'whose attachments, transfers and quotas are of what is gone': async ({ insert, run, dialect }, type) => {
    const gone = id('a', 2);
    await insert('volumes', deletedRow(volumeRow({ id: gone, volume_type_id: type, status: 'deleted' })));
    await insert(
      'volumes',
      volumeRow({ id: id('a', 3), volume_type_id: type, status: 'in-use', attach_status: 'attached' }),
    );
    await insert('volumes', volumeRow({ id: id('a', 4), volume_type_id: type, status: 'awaiting-transfer', size: 0 }));
    await insert('volumes', volumeRow({ id: id('a', 5), volume_type_id: type, project_id: null }));
    await insert('volumes', { ...volumeRow({ id: id('a', 6), volume_type_id: type }), deleted: null });
    await insert(
      'volumes',
      volumeRow({
        id: id('a', 7),
        volume_type_id: type,
        group_id: id('6', 9),
        snapshot_id: id('b', 9),
        source_volid: gone,
        encryption_key_id: '00000000-0000-0000-0000-000000000000',
      }),
    );
    await insert(
      'volume_attachment',
      attachmentRow({ id: id('c', 1), volume_id: gone }),
      attachmentRow({ id: id('c', 2), volume_id: id('9', 9) }),
      attachmentRow({
        id: id('c', 3),
        volume_id: id('a', 3),
        connection_info: '{"driver_volume_type": "rbd", "data',
        connector: '[]',
      }),
      attachmentRow({
        id: id('c', 4),
        volume_id: id('a', 3),
        connection_info: 'null',
        connector: '7',
        instance_uuid: null,
        attach_mode: null,
      }),
      attachmentRow({ id: id('c', 5), volume_id: id('a', 3), attach_status: null }),
      attachmentRow({ id: id('c', 6), volume_id: id('a', 5) }),
      attachmentRow({
        id: id('c', 7),
        volume_id: id('a', 3),
        attach_status: 'error_detaching',
        connection_info: '{"auth_password": "planted-password"}',
      }),
    );
    await insert('snapshots', snapshotRow({ id: id('b', 1), volume_id: gone, volume_type_id: type }));
    await insert('snapshots', snapshotRow({ id: id('b', 2), volume_id: id('9', 9), volume_type_id: type }));
    await insert(
      'snapshots',
      snapshotRow({ id: id('b', 3), volume_id: id('a', 3), volume_type_id: type, project_id: null }),
    );
    await insert(
      'snapshots',
      snapshotRow({
        id: id('b', 4),
        volume_id: id('a', 3),
        volume_type_id: type,
        group_snapshot_id: id('5', 9),
        status: null,
      }),
    );
    const transfer = {
      ...living,
      display_name: null,
      salt: 'b1ec5a1d',
      crypt_hash: '6ebf70eef509b1a9fa29029630b1569100a3745d',
      no_snapshots: null,
      source_project_id: null,
      accepted: false,
    };
    await insert('transfers', { ...transfer, id: id('4', 1), volume_id: gone });
    await insert('transfers', { ...transfer, id: id('4', 2), volume_id: id('a', 3), crypt_hash: null });
    for (const project_id of ['nobody', null, ''])
      for (const resource of ['volumes', 'gigabytes_gone', 'per_volume_gigabytes']) {
        await insert('quotas', { ...living, project_id, resource, hard_limit: resource === 'volumes' ? null : -2 });
        await insert('quota_usages', { ...living, project_id, resource, in_use: -3, reserved: 7, until_refresh: null });
      }
    await insert('quota_usages', {
      ...living,
      project_id: 'nobody',
      resource: null,
      in_use: 1,
      reserved: 0,
      until_refresh: null,
    });
    await insert('quota_classes', { ...living, class_name: null, resource: null, hard_limit: null });
    if (dialect === 'mysql') {
      await run("SET SESSION sql_mode = ''");
      await run(`UPDATE volumes SET launched_at = '0000-00-00 00:00:00' WHERE id = '${id('a', 3)}'`);
    } else await run(`UPDATE volumes SET launched_at = 'infinity' WHERE id = '${id('a', 3)}'`);
  },
};

/** Tables of rows that come in one by one, with what one is called when it is named. */
const TABLES = {
  volumes: ['volume', 'volume'],
  snapshots: ['snapshot', 'snapshot'],
  volume_attachment: ['volume_attachment', 'attachment'],
  volume_types: ['volume_type', 'volume_type'],
  group_types: ['group_type', 'group_type'],
  groups: ['volume_group', 'group'],
  group_snapshots: ['group_snapshot', 'group_snapshot'],
  backups: ['backup', 'backup'],
  transfers: ['transfer', 'transfer'],
  messages: ['message', 'message'],
} as const;

async function scene(context: TestContext, from: CinderDialect, into: 'sqlite' | 'postgresql', spoil: Scene) {
  const cinder = await cinderWorld(from);
  if ('missing' in cinder) return context.skip(cinder.missing);
  const target = await (into === 'sqlite' ? freshSqlite({ empty: true }) : freshPostgresql({ empty: true }));
  if ('missing' in target) return context.skip(target.missing);
  const directory = mkdtempSync(join(tmpdir(), 'pumice-strange-'));
  context.after(async () => {
    await cinder.remove();
    await target.remove();
    rmSync(directory, { recursive: true });
  });
  const type = await defaultTypeOf(cinder);
  await cinder.insert('volumes', volumeRow({ id: id('a', 1), volume_type_id: type }));
  await spoil(cinder, type);
  const set = [`database.url=${target.url}`, `data_directory=${directory}`, 'node_name=node'];
  const flags = { from: cinder.url, set, mapHost: [['control1@rbd1', 'node@file']] as const };

  const { around, out } = capturedCommand();
  const code = await importCheck({ ...flags, set: [], json: true }, around);
  const check = JSON.parse(out.text);
  assert.equal(code, { clean: 0, switches: 1, refused: 2 }[check.outcome as 'clean']);
  const people = capturedCommand();
  assert.equal(await importCheck({ ...flags, set: [] }, people.around), code);
  const ran = capturedCommand();
  const ended = await run({ ...flags, batch: 5, json: true }, ran.around);
  const told = JSON.parse(ran.out.text);
  assert.equal(ended, told.refused > 0 ? 3 : 0);
  for (const said of [out.text, people.out.text, ran.out.text, ran.err.text]) assert.ok(!said.includes('planted'));

  // Every row is in, or is named, or hangs on a volume that is.
  const all = [...check.findings, ...check.refusals, ...told.findings, ...told.refusals];
  const named = new Set(all.map(({ resource, id }) => `${resource} ${id}`));
  const db = await openDatabase(target.url, { as: 'server' });
  const lost: string[] = [];
  for (const [table, [ours, resource]] of Object.entries(TABLES)) {
    const [quote, no] = from === 'mysql' ? ['`', '0'] : ['"', 'false'];
    const there = await cinder.run(`SELECT * FROM ${quote}${table}${quote} WHERE coalesce(deleted, ${no}) = ${no}`);
    const here = new Set((await db.read.selectFrom(ours).select('id').execute()).map((row) => row.id));
    const hangs = table === 'volume_attachment' || table === 'transfers';
    for (const { id: each, volume_id } of there) {
      const isNamed = named.has(`${resource} ${each}`) || (hangs && named.has(`volume ${volume_id}`));
      if (!here.has(String(each)) && !isNamed) lost.push(`${resource} ${each}`);
    }
  }
  assert.deepEqual(lost, []);
  assert.ok((await db.read.selectFrom('volume').select('id').execute()).length > 0);

  // A run says what the check has said, and done again it writes nothing.
  const codes = (all: readonly { resource: string; code: string; id: string }[]) =>
    all.map((each) => `${each.resource} ${each.code} ${each.id}`);
  const ofRun = codes([...told.findings, ...told.refusals]);
  // Of hosts the check tells host by host.
  const ofHosts = / (host-unmapped|failed-over) /;
  const ofCheck = new Set(codes([...check.findings, ...check.refusals]));
  assert.deepEqual(
    ofRun.filter((each) => !ofHosts.test(each) && !ofCheck.has(each)),
    [],
  );
  await db.close();
  const again = capturedCommand();
  await run({ ...flags, batch: 5, json: true }, again.around);
  assert.partialDeepStrictEqual(JSON.parse(again.out.text), { written: 0, removed: 0, resumed: false });

  // And back, after which a second time writes nothing.
  const turned = await openDatabase(target.url, { as: 'server' });
  await turned.write(markTurned);
  await turned.close();
  for (const time of ['first', 'second']) {
    const back = capturedCommand();
    assert.equal(await exportToCinder(cinder.url, { ...flags, to: 'cinder' }, back.around), 0);
    if (time === 'second') assert.match(back.out.text, /^Written: nothing\.$/m);
  }
}

/** As MySQL 8 comes: its modes, and tables of four bytes a letter. Its own collation is none of MariaDB's. */
const asMysql8: Scene = async ({ run, insert }, type) => {
  // No column may be made wider that a foreign key names.
  const keys = await run(
    "SELECT table_name AS t, constraint_name AS c FROM information_schema.table_constraints WHERE constraint_schema = database() AND constraint_type = 'FOREIGN KEY'",
  );
  for (const { t, c } of keys) await run(`ALTER TABLE \`${t}\` DROP FOREIGN KEY \`${c}\``);
  const tables = await run('SELECT table_name AS t FROM information_schema.tables WHERE table_schema = database()');
  const [server] = await run('SELECT version() AS version');
  const collation = /MariaDB/.test(String(server?.version)) ? 'utf8mb4_unicode_520_ci' : 'utf8mb4_0900_ai_ci';
  for (const { t } of tables) await run(`ALTER TABLE \`${t}\` CONVERT TO CHARACTER SET utf8mb4 COLLATE ${collation}`);
  const modes = [
    'ONLY_FULL_GROUP_BY',
    'STRICT_TRANS_TABLES',
    'NO_ZERO_IN_DATE',
    'NO_ZERO_DATE',
    'ERROR_FOR_DIVISION_BY_ZERO',
  ];
  await run(
    `SET GLOBAL sql_mode = '${[...modes, 'NO_ENGINE_SUBSTITUTION', 'ANSI_QUOTES', 'PIPES_AS_CONCAT'].join(',')}'`,
  );
  await insert('volumes', volumeRow({ id: id('a', 2), volume_type_id: type, display_name: 'four bytes \u{1f30b}' }));
  await insert('snapshots', snapshotRow({ id: id('b', 2), volume_id: id('a', 2), volume_type_id: type }));
};

describe('a Cinder database', () => {
  for (const [what, spoil] of Object.entries(SCENES))
    for (const [from, into] of [...DIALECTS.map((from) => [from, 'sqlite'] as const), ['mysql', 'postgresql'] as const])
      test(`${what} (${from} into ${into}) comes in row by row`, async (context) => {
        await scene(context, from, into, spoil);
      });

  test('on a server with the modes of MySQL 8, of four bytes a letter, comes in', async (context) => {
    const server = await cinderWorld('mysql');
    if ('missing' in server) return context.skip(server.missing);
    context.after(async () => {
      await server.run('SET GLOBAL sql_mode = DEFAULT');
      await server.remove();
    });
    await scene(context, 'mysql', 'sqlite', asMysql8);
  });
});
