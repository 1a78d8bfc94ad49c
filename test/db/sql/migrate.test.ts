import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openDatabase } from '../../../src/db/database.ts';
import { SchemaMismatch } from '../../../src/db/sql/migrate.ts';
import { freshPostgresql, freshSqlite } from '../../databases.ts';
import { withProcess } from '../processes.ts';

const PROCESSES = 20;

for (const [dialect, fresh] of [
  ['SQLite', freshSqlite],
  ['PostgreSQL', freshPostgresql],
] as const) {
  describe(`migrations on ${dialect}`, () => {
    const world = (body: (url: string) => Promise<void>) => async (context: { skip(reason: string): void }) => {
      const made = await fresh({ empty: true });
      if ('missing' in made) return context.skip(`PostgreSQL: ${made.missing}`);
      await body(made.url).finally(() => made.remove());
    };

    it(
      'prepare an empty database once',
      world(async (url) => {
        for (let round = 0; round < 2; round++) {
          const database = await openDatabase(url, { as: 'server' });
          const applied = await database.read.selectFrom('schema_version').select(['version', 'name']).execute();
          assert.deepEqual(
            applied.map(({ version, name }) => [version, name.slice(0, 5)]),
            applied.map((_, index) => [index + 1, `${String(index + 1).padStart(4, '0')}-`]),
          );
          const types = await database.read.selectFrom('volume_type').select('name').execute();
          assert.deepEqual(
            types.map((row) => row.name),
            ['__DEFAULT__'],
          );
          await database.close();
        }
      }),
    );

    it(
      `are safe when ${PROCESSES} connections of one process start at once`,
      world(async (url) => {
        // On SQLite there is one server; the others are refused before they look.
        const opened = await Promise.allSettled(
          Array.from({ length: PROCESSES }, () => openDatabase(url, { as: 'server' })),
        );
        const databases = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
        assert.equal(databases.length, dialect === 'SQLite' ? 1 : PROCESSES);
        const types = await databases[0]?.read.selectFrom('volume_type').select('name').execute();
        assert.equal(types?.length, 1);
        await Promise.all(databases.map((database) => database.close()));
      }),
    );

    it(
      'refuse a database of a newer version',
      world(async (url) => {
        const database = await openDatabase(url, { as: 'server' });
        await database.write(({ db }) =>
          db.insertInto('schema_version').values({ version: 99, name: '0099-later', applied_at: '' }).execute(),
        );
        await database.close();
        await assert.rejects(openDatabase(url, { as: 'server' }), SchemaMismatch);
        await assert.rejects(openDatabase(url, { as: 'tool' }), SchemaMismatch);
      }),
    );

    it(
      'that are killed halfway leave the schema as it was, and the next start brings it forward and says so',
      world(async (url) => {
        const older = await openDatabase(url, { as: 'server' });
        await older.write(async ({ db, connection }) => {
          for (const index of [
            'volume_name',
            'volume_status',
            'snapshot_name',
            'snapshot_status',
            'flow_failed',
            'flow_failed_project',
          ])
            await connection.run(`DROP INDEX ${index}`);
          await connection.run(`
            DROP TABLE group_snapshot; DROP TABLE volume_group; DROP INDEX volume_of_group;
            CREATE INDEX volume_group ON volume (group_id) WHERE group_id IS NOT NULL`);
          await connection.run('ALTER TABLE volume DROP COLUMN next_image_metadata');
          await connection.run('ALTER TABLE volume_attachment DROP COLUMN revision');
          await connection.run('DROP TABLE doomed_image; DROP TABLE backup; DROP TABLE image_cache');
          const books = ['scope', 'content', 'work', 'bite', 'remains', 'base', 'schedule', 'schedule_volume'];
          for (const table of [...books, 'check', 'damage', 'round'])
            await connection.run(`DROP TABLE backup_${table}`);
          await connection.run(
            'DROP TABLE move_secret; DROP TABLE alarm; DROP TABLE sink_waiting; DROP TABLE sink; DROP INDEX flow_project',
          );
          await connection.run('ALTER TABLE outbox DROP COLUMN xid');
          await connection.run('ALTER TABLE flow DROP COLUMN trace');
          await connection.run(
            'ALTER TABLE volume DROP COLUMN provider_auth; ALTER TABLE snapshot DROP COLUMN provider_auth',
          );
          await connection.run('ALTER TABLE volume_attachment DROP COLUMN taken_over');
          await connection.run('ALTER TABLE transfer DROP COLUMN scheme; DROP TABLE group_type_access');
          await connection.run('DROP TABLE imported_from; DROP TABLE import_gone; DROP TABLE import_span');
          await db.deleteFrom('schema_version').where('version', '>', 9).execute();
        });
        await older.close();
        await withProcess('halfway-migration.ts', [url], async (child) => {
          assert.equal(await child.line(), 'halfway');
        });
        await assert.rejects(openDatabase(url, { as: 'tool' }), /The database has schema 9,/);
        const begun: (readonly string[])[] = [];
        const migrating = (names: readonly string[]): void => {
          begun.push(names);
        };
        await (await openDatabase(url, { as: 'server', migrating })).close();
        await (await openDatabase(url, { as: 'server', migrating })).close();
        assert.deepEqual(begun, [
          [
            '0010-lists',
            '0011-groups',
            '0012-next-image',
            '0013-doomed-images',
            '0014-backups',
            '0015-image-cache',
            '0016-attachment-revision',
            '0017-backup-books',
            '0018-move-secrets',
            '0019-imported-scopes',
            '0020-backup-bases',
            '0021-backup-schedules',
            '0022-backup-checks',
            '0023-outbox-order',
            '0024-flow-trace',
            '0025-failed-flows',
            '0026-alarms',
            '0027-project-flows',
            '0028-moving-in',
            '0029-sinks',
            '0030-import-decisions',
          ],
        ]);
        await (await openDatabase(url, { as: 'tool' })).close();
      }),
    );

    it(
      'are not run by a tool, which says that they are missing',
      world(async (url) => {
        await assert.rejects(openDatabase(url, { as: 'tool' }), /no server has prepared|There is no database/);
      }),
    );
  });
}

describe('migrations on SQLite', () => {
  it('are safe when several processes meet in a new file', async () => {
    const fresh = await freshSqlite({ empty: true });
    const outcomes = await Promise.all(
      Array.from({ length: 6 }, () => withProcess('migrate.ts', [fresh.url], (child) => child.line())),
    );
    assert.deepEqual([...new Set(outcomes)], ['migrated']);
    const database = await openDatabase(fresh.url, { as: 'server' });
    const applied = await database.read.selectFrom('schema_version').select('version').execute();
    assert.deepEqual(
      applied.map(({ version }) => version),
      applied.map((_, index) => index + 1),
    );
    await database.close();
    await fresh.remove();
  });
});
