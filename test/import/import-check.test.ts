/** `pumice import check`: what an operator reads before moving in, and what a program does. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Complaint } from '../../src/cli/exit-codes.ts';
import { type ImportCheckOptions, importCheck } from '../../src/cli/import/import-check.ts';
import { BackendDirectory, MARKER } from '../../src/drivers/file/backend-directory.ts';
import { GIB } from '../../src/lib/bytes.ts';
import { capturedCommand } from '../cli/captured.ts';
import {
  attachmentRow,
  defaultTypeOf,
  deletedRow,
  id,
  PROJECT,
  snapshotRow,
  typeRow,
  valueRows,
  volumeRow,
} from './cinder-rows.ts';
import { type CinderWorld, cinderWorld, DIALECTS } from './cinder-world.ts';

interface Bench {
  readonly world: CinderWorld;
  readonly directory: string;
  /** Of a backend of files, `control1@rbd1`; named by `--config`. */
  readonly backend: string;
  check(of?: Partial<ImportCheckOptions>): Promise<{ readonly code: number; readonly text: string }>;
  // biome-ignore lint/suspicious/noExplicitAny: what a program reads has no type here.
  facts(of?: Partial<ImportCheckOptions>): Promise<any>;
}

for (const dialect of DIALECTS) {
  const onBench = (does: (bench: Bench) => Promise<void>) => async (t: TestContext) => {
    const world = await cinderWorld(dialect);
    if ('missing' in world) return t.skip(world.missing);
    const directory = mkdtempSync(join(tmpdir(), 'pumice-import-check-'));
    try {
      const backend = join(directory, 'volumes');
      await new BackendDirectory(backend, true).start();
      writeFileSync(
        join(directory, 'pumice.toml'),
        `node_name = "control1"\n[backends.rbd1]\ndriver = "file"\npath = ${JSON.stringify(backend)}\n`,
      );
      const check: Bench['check'] = async (of = {}) => {
        const { around, out } = capturedCommand();
        const code = await importCheck({ from: world.url, set: [], mapHost: [], ...of }, around);
        // Lines are broken between words.
        return { code, text: out.text.replaceAll(/\n {4}/g, ' ') };
      };
      await does({
        world,
        directory,
        backend,
        check,
        facts: async (of) => JSON.parse((await check({ json: true, ...of })).text),
      });
    } finally {
      rmSync(directory, { recursive: true, force: true });
      await world.remove();
    }
  };

  describe(`pumice import check of a Cinder on ${dialect}`, () => {
    test(
      'an empty one comes in',
      onBench(async ({ check, facts }) => {
        const { code, text } = await check();
        assert.equal(code, 0, text);
        assert.match(
          text,
          /is a Cinder database on (MariaDB|MySQL|PostgreSQL) \S+, with the schema of Zed \(c92a3e68beed\)\./,
        );
        assert.match(text, /Every row comes in\./);
        const { outcome, revision, rows } = await facts();
        assert.deepEqual([outcome, revision, rows.volumes], ['clean', 'c92a3e68beed', { there: 0, come_in: 0 }]);
      }),
    );

    test(
      'each broken row is named with its id and what becomes of it; what a switch settles ends with 1, with the switch with 0',
      onBench(async ({ world, check, facts }) => {
        const type = await defaultTypeOf(world);
        await world.insert('volumes', volumeRow({ id: id('a', 1), volume_type_id: type }));
        await world.insert('volumes', volumeRow({ id: id('a', 2), volume_type_id: id('0', 1) }));
        await world.insert('volumes', volumeRow({ id: id('a', 3), volume_type_id: type, deleted: null }));
        await world.insert(
          'volumes',
          deletedRow(volumeRow({ id: id('a', 4), volume_type_id: type, status: 'deleted' })),
        );
        await world.insert('volumes', volumeRow({ id: id('a', 5), volume_type_id: type, status: 'deleting' }));
        await world.insert('snapshots', snapshotRow({ id: id('b', 1), volume_id: id('a', 4), volume_type_id: type }));
        await world.insert('volume_attachment', attachmentRow({ id: id('c', 1), volume_id: id('a', 4) }));
        const { code, text } = await check();
        assert.equal(code, 1, text);
        for (const said of [
          `volume ${id('a', 2)} is of type ${id('0', 1)}, which was never there`,
          'say which type such volumes are to be of: --adopt-type',
          `snapshot ${id('b', 1)} lives, and its volume ${id('a', 4)} is deleted`,
          `volume ${id('a', 3)} does not say whether it is deleted`,
          `volume ${id('a', 5)} is deleting`,
          'should Cinder not be done with it by then, it comes in as error_deleting',
          `attachment ${id('c', 1)} is of volume ${id('a', 4)}, which is deleted`,
          '2 kept out, which switches let in. Cinder is at work (1): the last run waits for its end.',
        ])
          assert.ok(text.includes(said), `${said}\n\n${text}`);
        const settled = await check({ adoptType: '__DEFAULT__', revive: true });
        assert.equal(settled.code, 0, settled.text);
        const { refusals, findings, outcome } = await facts();
        assert.equal(outcome, 'switches');
        assert.deepEqual(
          refusals.map((each: { id: string; code: string; settled_by: string }) => [
            each.id,
            each.code,
            each.settled_by,
          ]),
          [
            [id('a', 2), 'type-missing', '--adopt-type'],
            [id('b', 1), 'volume-deleted', '--revive'],
          ],
        );
        assert.deepEqual(
          findings.map((each: { id: string; code: string }) => [each.id, each.code]),
          [
            [id('a', 5), 'at-work'],
            [id('a', 3), 'deleted-unknown'],
            [id('c', 1), 'volume-deleted'],
          ],
        );
        await assert.rejects(
          check({ adoptType: 'nonesuch' }),
          /--adopt-type nonesuch: Cinder has no type of that name or id/,
        );
      }),
    );

    test(
      'what only Cinder can put right ends with 2',
      onBench(async ({ world, check }) => {
        const type = await defaultTypeOf(world);
        await world.insert('volumes', volumeRow({ id: id('a', 1), volume_type_id: type, size: null }));
        await world.insert('consistencygroups', { created_at: null, deleted: false, id: id('4', 1), name: 'old' });
        const { code, text } = await check();
        assert.equal(code, 2, text);
        assert.match(text, /has no size/);
        assert.match(text, /online_data_migrations/);
      }),
    );

    test(
      'hosts are those of the configuration, and others are kept out until a map names them',
      onBench(async ({ world, directory, backend, check, facts }) => {
        const type = await defaultTypeOf(world);
        for (const [n, host] of [
          [1, 'control1@rbd1#rbd1'],
          [2, 'rbd:volumes@old#old'],
          [3, 'control1@rbd1#gone'],
        ] as const) {
          await world.insert('volumes', volumeRow({ id: id('a', n), volume_type_id: type, host }));
          writeFileSync(join(backend, `volume-${id('a', n)}`), '');
          truncateSync(join(backend, `volume-${id('a', n)}`), GIB);
        }
        const config = join(directory, 'pumice.toml');
        const { code, text } = await check({ config });
        assert.equal(code, 1, text);
        const { hosts } = await facts({ config });
        assert.deepEqual(hosts, [
          { from: 'control1@rbd1#gone', volumes: 1, to: 'control1@rbd1#gone', problem: 'pool' },
          { from: 'control1@rbd1#rbd1', volumes: 1, to: 'control1@rbd1#rbd1', problem: null },
          { from: 'rbd:volumes@old#old', volumes: 1, to: null, problem: 'unmapped' },
        ]);
        const mapHost = [
          ['rbd:volumes@old#old', 'control1@rbd1#rbd1'],
          ['control1@rbd1#gone', 'control1@rbd1#rbd1'],
        ] as const;
        const mapped = await check({ config, mapHost });
        assert.equal(mapped.code, 0, mapped.text);
        assert.match(
          mapped.text,
          /os-vol-host-attr:host of volumes on control1@rbd1#gone, rbd:volumes@old#old is the name/,
        );
      }),
    );

    test(
      'backends are compared by name: what has no image is told, and what has no row; nothing there is changed',
      onBench(async ({ world, directory, backend, check, facts }) => {
        const type = await defaultTypeOf(world);
        for (const n of [1, 2, 3]) await world.insert('volumes', volumeRow({ id: id('a', n), volume_type_id: type }));
        await world.insert('volumes', volumeRow({ id: id('a', 4), volume_type_id: type, _name_id: id('d', 4) }));
        await world.insert('snapshots', snapshotRow({ id: id('b', 1), volume_id: id('a', 1), volume_type_id: type }));
        const names = [
          `volume-${id('a', 1)}`,
          `volume-${id('a', 2)}`,
          `volume-${id('d', 4)}`,
          `snapshot-${id('b', 1)}`,
          `volume-${id('a', 9)}`,
        ];
        for (const name of names) {
          writeFileSync(join(backend, name), '');
          truncateSync(join(backend, name), GIB);
        }
        const config = join(directory, 'pumice.toml');
        const { code, text } = await check({ config });
        assert.equal(code, 0, text);
        assert.match(text, new RegExp(`volume ${id('a', 3)} is available, and its backend has nothing of its name`));
        assert.match(text, new RegExp(`control1@rbd1 has volume-${id('a', 9)} \\(1 GiB\\), which no living row names`));
        const { backends } = await facts({ config });
        assert.deepEqual(backends, [
          {
            host: 'control1@rbd1',
            failure: null,
            pools: ['rbd1'],
            known: 4,
            unknown: [{ name: `volume-${id('a', 9)}`, bytes: GIB }],
          },
        ]);
        assert.deepEqual(readdirSync(backend).sort(), [MARKER, ...names].sort());
        assert.deepEqual(readdirSync(directory).sort(), ['pumice.toml', 'volumes']);
        rmSync(backend, { recursive: true });
        const away = await check({ config });
        assert.match(away.text, /control1@rbd1 could not be looked at/);
        assert.equal(away.code, 0, away.text);
      }),
    );

    test(
      'usage is counted anew, and the difference told',
      onBench(async ({ world, facts }) => {
        const type = await defaultTypeOf(world);
        await world.insert('volume_types', typeRow({ id: id('7', 1), name: 'ssd' }));
        await world.insert('volumes', volumeRow({ id: id('a', 1), volume_type_id: type, size: 2 }));
        await world.insert('volumes', volumeRow({ id: id('a', 2), volume_type_id: id('7', 1), size: 3 }));
        await world.insert('volumes', volumeRow({ id: id('a', 3), volume_type_id: type, size: 9, use_quota: false }));
        const usage = (resource: string, in_use: number, project_id = PROJECT) => ({
          project_id,
          resource,
          in_use,
          reserved: 0,
          deleted: false,
        });
        await world.insert(
          'quota_usages',
          usage('volumes', 2),
          usage('gigabytes', -3),
          usage('volumes___DEFAULT__', 1),
          usage('gigabytes___DEFAULT__', 2),
          usage('volumes_ssd', 1),
          usage('snapshots', 0),
          usage('volumes', 4, 'gone'),
        );
        assert.deepEqual((await facts()).usage, [
          { project_id: PROJECT, resource: 'gigabytes', said: -3, counted: 5 },
          { project_id: PROJECT, resource: 'gigabytes_ssd', said: 0, counted: 3 },
          { project_id: 'gone', resource: 'volumes', said: 4, counted: 0 },
        ]);
      }),
    );

    test(
      'cinder.conf says where the database is, and what no table holds; its password is nowhere',
      onBench(async ({ world, directory, check, facts }) => {
        const type = await defaultTypeOf(world);
        await world.insert('volumes', volumeRow({ id: id('a', 1), volume_type_id: type }));
        const account =
          dialect === 'mysql'
            ? "CREATE USER IF NOT EXISTS 'moving'@'%' IDENTIFIED BY 'top-secret'; GRANT SELECT ON *.* TO 'moving'@'%'"
            : "DO $$ BEGIN CREATE ROLE moving SUPERUSER LOGIN PASSWORD 'top-secret'; EXCEPTION WHEN duplicate_object THEN END $$";
        for (const statement of dialect === 'mysql' ? account.split('; ') : [account]) await world.run(statement);
        const conf = join(directory, 'cinder.conf');
        const connection = world.url.replace(/\/\/\w+@/, '//moving:top-secret@').replace('mysql:', 'mysql+pymysql:');
        writeFileSync(
          conf,
          `[DEFAULT]\nhost = control1\nenabled_backends = rbd1\ndefault_volume_type = __default__\n[rbd1]\nvolume_driver = cinder.volume.drivers.rbd.RBDDriver\nvolume_backend_name = rbd1\n[database]\nconnection = ${connection}\n`,
        );
        const { code, text } = await check({ from: undefined as never, cinderConf: conf });
        assert.equal(code, 0, text);
        assert.match(text, /\[backends\.rbd1\]\ndriver = "rbd"/);
        assert.match(text, /default_volume_type is __default__, and the type is called __DEFAULT__/);
        const all = await facts({ from: undefined as never, cinderConf: conf });
        assert.deepEqual(all.hosts[0].to, 'control1@rbd1#rbd1');
        assert.match(all.cinder_conf.toml, /node_name = "control1"/);
        assert.doesNotMatch(text + JSON.stringify(all), /top-secret/);
        // The same user by its own password.
        const passwordFile = join(directory, 'password');
        writeFileSync(passwordFile, 'top-secret\n');
        const from = world.url.replace(/\/\/\w+@/, '//moving@');
        assert.equal((await check({ from, passwordFile })).code, 0);
        if (dialect === 'mysql') {
          writeFileSync(passwordFile, 'wrong');
          await assert.rejects(
            check({ from, passwordFile }),
            (error: Error) => error instanceof Complaint && error.exitCode === 2 && !error.message.includes('wrong'),
          );
        }
      }),
    );

    test(
      'values of users cannot draw on the terminal, and secrets of rows are in no report',
      onBench(async ({ world, check, facts }) => {
        await world.insert('volume_types', deletedRow(typeRow({ id: id('7', 1), name: 'red\u001b[31m' })));
        await world.insert(
          'volumes',
          volumeRow({
            id: id('a', 1),
            volume_type_id: id('7', 1),
            provider_auth: 'CHAP u top-secret',
            status: '\u001b[2J',
          }),
        );
        await world.insert('volumes', volumeRow({ id: id('a', 2), volume_type_id: id('7', 1) }));
        await world.insert(
          'volume_attachment',
          attachmentRow({ id: id('c', 1), volume_id: id('a', 2), connection_info: '{"auth_password": "top-secret"' }),
        );
        await world.insert(
          'volume_metadata',
          ...valueRows({ volume_id: id('a', 2) }, { 'k\u001b': '1' }),
          ...valueRows({ volume_id: id('a', 2) }, { 'k\u001b': '2' }),
        );
        const { text } = await check();
        assert.ok(!text.includes('\u001b'), JSON.stringify(text));
        assert.doesNotMatch(text + JSON.stringify(await facts()), /top-secret/);
      }),
    );
  });
}

describe('pumice import check', () => {
  for (const [what, of, message] of [
    ['of nothing', {}, /Which Cinder\?/],
    ['of no URL', { from: 'cinder' }, /mysql:\/\/USER@HOST\/DATABASE/],
    [
      'with a file that is not there',
      { from: 'mysql://u@h/d', passwordFile: '/nonesuch' },
      /\/nonesuch cannot be read \(ENOENT\)/,
    ],
    ['with a cinder.conf that is none', { cinderConf: import.meta.filename }, /line 1: /],
    ['of what does not answer', { from: 'mysql://u@127.0.0.1:1/d' }, /nothing listens there/],
  ] as const) {
    test(`${what} ends with 2 and a sentence`, async () => {
      const { around } = capturedCommand();
      await assert.rejects(importCheck({ set: [], mapHost: [], ...of }, around), (error: Error) => {
        assert.match(error.message, message);
        return error instanceof Complaint && error.exitCode === 2;
      });
    });
  }
});
