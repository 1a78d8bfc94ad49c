/** Reading a Cinder database: the same rows from MariaDB and PostgreSQL, one snapshot, and a clear word where it cannot be read. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { cinderAddress } from '../../src/import/cinder/cinder-address.ts';
import { CINDER_REVISIONS } from '../../src/import/cinder/cinder-revisions.ts';
import { CINDER_TABLES, type CinderTable } from '../../src/import/cinder/cinder-tables.ts';
import { letsWrite } from '../../src/import/cinder/mysql-session.ts';
import { openCinder } from '../../src/import/cinder/open-cinder.ts';
import { attachmentRow, defaultTypeOf, deletedRow, id, valueRows, volumeRow } from './cinder-rows.ts';
import { type CinderWorld, cinderWorld, DIALECTS, NEWEST } from './cinder-world.ts';

for (const dialect of DIALECTS) {
  const inWorld = (does: (world: CinderWorld) => Promise<void>, revision?: string) => async (t: TestContext) => {
    const world = await cinderWorld(dialect, revision);
    if ('missing' in world) return t.skip(world.missing);
    try {
      await does(world);
    } finally {
      await world.remove();
    }
  };

  describe(`a Cinder database on ${dialect}`, () => {
    test('every table of every known revision can be read', async (t) => {
      for (const { id: revision, release } of CINDER_REVISIONS) {
        await inWorld(async (world) => {
          const cinder = await world.open();
          assert.deepEqual(cinder.revision, { id: revision, release });
          assert.equal(cinder.dialect, dialect);
          assert.match(cinder.server, dialect === 'mysql' ? /^(MariaDB|MySQL) \d+\.\d+/ : /^PostgreSQL \d+/);
          for (const table of Object.keys(CINDER_TABLES) as CinderTable[]) {
            let rows = 0;
            for await (const batch of cinder.living(table)) rows += batch.length;
            assert.equal(await cinder.count(table), rows, table);
          }
        }, revision)(t);
      }
    });

    test(
      'a row comes with true and false, times to the microsecond, and numbers',
      inWorld(async (world) => {
        const type = await defaultTypeOf(world);
        await world.insert('volumes', volumeRow({ id: id('a', 1), volume_type_id: type, size: 7, use_quota: null }));
        await world.insert('volume_metadata', ...valueRows({ volume_id: id('a', 1) }, { naïve: '☂ <b>' }));
        const cinder = await world.open();
        const [volume] = await cinder.among('volumes', 'id', [id('a', 1)]);
        assert.deepEqual(
          { ...volume },
          {
            created_at: '2024-03-01T09:15:22.000000',
            updated_at: '2024-03-01T09:15:26.000000',
            id: id('a', 1),
            _name_id: null,
            user_id: 'feed0000feed0000feed0000feed0000',
            project_id: 'c0ffee00c0ffee00c0ffee00c0ffee00',
            host: 'control1@rbd1#rbd1',
            cluster_name: null,
            service_uuid: null,
            size: 7,
            availability_zone: 'nova',
            status: 'available',
            previous_status: null,
            attach_status: 'detached',
            migration_status: null,
            replication_status: null,
            display_name: null,
            display_description: null,
            provider_location: null,
            provider_auth: null,
            provider_id: null,
            encryption_key_id: null,
            snapshot_id: null,
            source_volid: null,
            volume_type_id: type,
            group_id: null,
            consistencygroup_id: null,
            bootable: false,
            multiattach: false,
            shared_targets: false,
            use_quota: null,
            scheduled_at: '2024-03-01T09:15:23.000000',
            launched_at: '2024-03-01T09:15:26.000000',
            terminated_at: null,
            deleted: false,
          },
        );
        const [metadata] = await cinder.among('volume_metadata', 'volume_id', [id('a', 1)]);
        assert.deepEqual([metadata?.key, metadata?.value], ['naïve', '☂ <b>']);
      }),
    );

    test(
      'rows come in batches by their key, from a key on where that is asked for, without the deleted ones',
      inWorld(async (world) => {
        const type = await defaultTypeOf(world);
        const row = (n: number) => volumeRow({ id: id('a', n), volume_type_id: type });
        for (let n = 1; n <= 7; n += 1) await world.insert('volumes', n === 3 ? deletedRow(row(n)) : row(n));
        await world.insert('volumes', { ...row(9), deleted: null });
        const cinder = await world.open();
        const batches: string[][] = [];
        for await (const batch of cinder.living('volumes', { limit: 2 })) batches.push(batch.map((each) => each.id));
        const [one, two, , four, five, six, seven] = [1, 2, 3, 4, 5, 6, 7].map((n) => id('a', n));
        assert.deepEqual(batches, [
          [one, two],
          [four, five],
          [six, seven],
        ]);
        const rest: string[] = [];
        for await (const batch of cinder.living('volumes', { after: five as string }))
          rest.push(...batch.map((each) => each.id));
        assert.deepEqual(rest, [six, seven]);
        assert.equal(await cinder.count('volumes'), 6);
        assert.deepEqual(await cinder.undecided('volumes'), [id('a', 9)]);
        assert.equal((await cinder.among('volumes', 'id', [id('a', 3)])).length, 0);
        assert.equal((await cinder.among('volumes', 'id', [id('a', 3)], { evenDeleted: true })).length, 1);
        // The keys of these tables are whole numbers.
        await world.insert('volume_metadata', ...valueRows({ volume_id: id('a', 1) }, { a: '1', b: '2', c: '3' }));
        const later = await world.open();
        const keys: (string | null)[] = [];
        for await (const batch of later.living('volume_metadata', { limit: 1 }))
          keys.push(...batch.map(({ key }) => key));
        assert.deepEqual(keys, ['a', 'b', 'c']);
      }),
    );

    test(
      'access to a type says that it is gone with a number, and is read so',
      inWorld(async (world) => {
        const type = await defaultTypeOf(world);
        const access = { volume_type_id: type, project_id: 'a', deleted: 0 };
        await world.insert('volume_type_projects', access, { ...access, project_id: 'b', deleted: 2 });
        const cinder = await world.open();
        const living = await cinder.among('volume_type_projects', 'volume_type_id', [type]);
        assert.deepEqual(
          living.map(({ project_id }) => project_id),
          ['a'],
        );
      }),
    );

    test(
      'what Cinder writes afterwards is not seen, and nothing can be written',
      inWorld(async (world) => {
        const type = await defaultTypeOf(world);
        await world.insert('volumes', volumeRow({ id: id('a', 1), volume_type_id: type }));
        const cinder = await world.open();
        await world.run(`UPDATE volumes SET size = 9 WHERE id = '${id('a', 1)}'`);
        await world.insert('volumes', volumeRow({ id: id('a', 2), volume_type_id: type }));
        const [volume] = await cinder.among('volumes', 'id', [id('a', 1)]);
        assert.equal(volume?.size, 1);
        assert.equal(await cinder.count('volumes'), 1);
      }),
    );

    test(
      'texts of any length come whole',
      inWorld(async (world) => {
        const type = await defaultTypeOf(world);
        const long = JSON.stringify({
          driver_volume_type: 'rbd',
          hosts: Array.from({ length: 4000 }, () => '192.0.2.1'),
        });
        await world.insert('volumes', volumeRow({ id: id('a', 1), volume_type_id: type }));
        await world.insert(
          'volume_attachment',
          attachmentRow({ id: id('b', 1), volume_id: id('a', 1), connection_info: long }),
        );
        const cinder = await world.open();
        const [attachment] = await cinder.among('volume_attachment', 'volume_id', [id('a', 1)]);
        assert.equal(attachment?.connection_info, long);
      }),
    );

    test(
      'another revision is refused, unless it is asked for',
      inWorld(async (world) => {
        await world.run("UPDATE alembic_version SET version_num = 'feedfeedfeed'");
        await assert.rejects(world.open(), {
          name: 'CinderUnreadable',
          message: /is at revision feedfeedfeed, which nobody has tried; .* --any-revision/,
        });
        const cinder = await world.open({ anyRevision: true });
        assert.deepEqual(cinder.revision, { id: 'feedfeedfeed', release: 'unknown' });
      }, NEWEST),
    );

    test(
      'a column that is missing is named, whatever the revision says',
      inWorld(async (world) => {
        await world.run('ALTER TABLE volumes DROP COLUMN use_quota');
        await world.run('DROP TABLE workers');
        await assert.rejects(world.open({ anyRevision: true }), {
          name: 'CinderUnreadable',
          message: /lacks what a Cinder database has: volumes\.use_quota, workers\./,
        });
      }),
    );

    test(
      'a database that is older, half upgraded, or none of Cinder, is told so',
      inWorld(async (world) => {
        await world.insert('alembic_version', { version_num: 'daa98075b90d' });
        await assert.rejects(world.open(), {
          message: /alembic_version says \w+ and \w+, and should say one revision/,
        });
        await world.run('DELETE FROM alembic_version');
        await assert.rejects(world.open(), { message: /alembic_version says nothing/ });
        await world.run('DROP TABLE alembic_version');
        await assert.rejects(world.open(), { message: /is of a Cinder before Xena.*Upgrade Cinder/ });
        const other = cinderAddress(world.url.replace(/[^/]+$/, dialect === 'mysql' ? 'mysql' : 'postgres'));
        await assert.rejects(openCinder(other), { message: /is no Cinder database: it has no table volumes/ });
      }),
    );

    test(
      'a wrong user, password, database or address is told in words, without the password',
      inWorld(async (world) => {
        const at = (text: string) => openCinder(cinderAddress(text), { password: 'top-secret' });
        const [, base = ''] = /^(.*\/)[^/]+$/.exec(world.url) ?? [];
        await assert.rejects(openCinder(cinderAddress(`${base}nowhere`)), {
          message: /the server has no database of this name/,
        });
        await assert.rejects(at(world.url.replace(/\/\/\w+@/, '//nobody@')), (error: Error) => {
          assert.match(error.message, /^Connecting to 127\.0\.0\.1:\d+\/\w+ failed: /);
          assert.doesNotMatch(error.message, /top-secret/);
          return error.name === 'CinderUnreadable';
        });
        await assert.rejects(at(`${dialect}://u@127.0.0.1:1/cinder`), {
          message: /nothing listens there \(ECONNREFUSED\)/,
        });
      }),
    );

    test(
      'a session that the server ends is told, and is no mistake of ours',
      inWorld(async (world) => {
        const cinder = await world.open();
        if (dialect === 'mysql') {
          const others = await world.run(
            'SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND db = database()',
          );
          for (const other of others) await world.run(`KILL ${other.id}`);
        } else {
          await world.run(
            'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()',
          );
        }
        await assert.rejects(cinder.count('volumes'), { name: 'CinderUnreadable', message: /^Reading 127\.0\.0\.1:/ });
      }),
    );
  });
}

describe('the address of a Cinder database', () => {
  test('is a URL as SQLAlchemy writes it', () => {
    assert.deepEqual(cinderAddress('mysql+pymysql://cinder@db1/cinder?charset=utf8'), {
      dialect: 'mysql',
      host: 'db1',
      port: 3306,
      user: 'cinder',
      database: 'cinder',
      socket: null,
      tls: { mode: 'preferred', authorities: null },
    });
    assert.deepEqual(cinderAddress('postgresql://a%40b@[::1]:80/c?sslmode=verify-full&sslrootcert=/etc/ca.pem'), {
      dialect: 'postgresql',
      host: '::1',
      port: 80,
      user: 'a@b',
      database: 'c',
      socket: null,
      tls: { mode: 'verify', authorities: '/etc/ca.pem' },
    });
    assert.equal(
      cinderAddress('mysql://cinder@localhost/cinder?socket=/run/mysqld/mysqld.sock').socket,
      '/run/mysqld/mysqld.sock',
    );
  });

  for (const [text, message] of [
    ['sqlite:///cinder.db', /mysql:\/\/USER@HOST\/DATABASE or postgresql/],
    ['mysql://cinder:top-secret@db1/cinder', /The password stands in the address/],
    ['mysql://cinder@db1', /ends with its name/],
    ['mysql://cinder@db1/', /ends with its name/],
    ['mysql://db1/cinder', /says no user/],
    ['mysql://cinder@db1:70000/cinder', /is no URL/],
    ['mysql://cinder@db1/cin%der', /is no URL/],
    ['mysql://cinder@db1/cinder?pool_size=5', /pool_size means nothing/],
    ['mysql://cinder@db1/cinder?ssl-mode=maybe', /ssl-mode=maybe is no way to use TLS/],
  ] as const) {
    test(`${text} is refused in words`, () => {
      assert.throws(
        () => cinderAddress(text),
        (error: Error) => {
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /top-secret/);
          return error.name === 'CinderUnreadable';
        },
      );
    });
  }
});

describe("MySQL's grants", () => {
  for (const [grant, may] of [
    ['GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION', true],
    ['GRANT USAGE ON *.* TO `reader`@`%`', false],
    ['GRANT SELECT ON `cinder`.* TO `reader`@`%`', false],
    ['GRANT SELECT, INSERT, UPDATE ON `cinder`.* TO `cinder`@`%`', true],
    ['GRANT SELECT, UPDATE ON `cinder`.`volumes` TO `cinder`@`%`', true],
    ['GRANT UPDATE ON `nova`.* TO `cinder`@`%`', false],
    ['GRANT UPDATE ON `cin%`.* TO `cinder`@`%`', true],
    ['GRANT UPDATE ON `cin\\_er`.* TO `cinder`@`%`', false],
    ['GRANT UPDATE ON `cin_er`.* TO `cinder`@`%`', true],
    ['GRANT PROXY ON ``@`%` TO `root`@`localhost`', false],
  ] as const) {
    test(`${grant} ${may ? 'lets' : 'does not let'} its user write`, () => {
      assert.equal(letsWrite(grant, 'cinder'), may);
    });
  }
});
