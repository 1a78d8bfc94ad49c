/**
 * Ten thousand volumes and a long history slow nothing down: what is asked for all day goes through an index. Asked of the
 * database's own plan and not of a clock, which on a shared machine says nothing.
 */
import assert from 'node:assert/strict';
import type { Database } from '../../src/db/database.ts';
import { DatabaseJournal } from '../../src/db/journal.ts';
import { listSnapshots } from '../../src/db/snapshots.ts';
import type { Connection } from '../../src/db/sql/connection.ts';
import { Db } from '../../src/db/sql/db.ts';
import { findVolumes, listVolumeKeys, listVolumes } from '../../src/db/volumes.ts';
import { proveStore } from '../prove-store.ts';

const VOLUMES = 10_000;
const FLOWS = 30_000;

proveStore('plans', (test) => {
  test('what is asked for all day is found by index', async ({ database }) => {
    await fill(database);
    const asked = recording(database);
    const db = asked.database.read;
    const mine = [{ is: 'equal', field: 'projectId', value: 'p7' }] as const;
    const [marker] = await listVolumes(db, { filters: mine, limit: 1 });
    assert.ok(marker);
    await listVolumes(db, { filters: mine, limit: 1000, marker: marker.id });
    await listVolumeKeys(db, { filters: mine, limit: 1000 });
    await listVolumes(db, { limit: 1000 });
    await listVolumes(db, { filters: [{ is: 'starts-with', field: 'host', text: 'n@b3#' }] });
    await findVolumes(db, [marker.id]);
    await listSnapshots(db, { filters: [{ is: 'equal', field: 'volumeId', value: marker.id }] });

    const journal = new DatabaseJournal(asked.database);
    const knows = [{ name: 'create_volume', version: 1 }];
    await journal.claim({
      process: 'me',
      lanes: ['control'],
      admit: (claims) => ({ claims, limit: 10 }),
      dropped: [],
      knows,
    });
    await journal.list({ unended: true, limit: 10 });
    await journal.list({ resource: 'volume:v1', limit: 10 });
    await journal.wished('me');
    await journal.steps('f1');
    await journal.prune('2026-01-01T00:00:00.000000', 10);

    for (const { sql, params } of asked.statements) {
      const plan = await explain(database, sql, params);
      assert.doesNotMatch(plan, wholeTable[database.dialect], `${sql}\n${plan}`);
    }
    assert.ok(asked.statements.length > 12);
  });

  test('flows in flight are found without a look at those that have ended', async ({ database }) => {
    await fill(database);
    const asked = recording(database);
    const journal = new DatabaseJournal(asked.database);
    assert.equal((await journal.list({ unended: true })).length, 3);
    await journal.list({ unended: true, limit: 10 });
    await journal.list({ unended: true, state: 'running', projectId: 'p', limit: 10 });
    for (const { sql, params } of asked.statements) {
      const plan = await explain(database, sql, params);
      assert.match(plan, /flow_unended_(owner|lane)\b/, `${sql}\n${plan}`);
    }
  });
});

/** A page of all rows in the order of an index is a scan too, by SQLite's words: only one without an index is meant. */
const wholeTable = {
  sqlite: /SCAN (volume|snapshot|flow|flow_step|hold)(?! USING)/,
  postgresql: /Seq Scan on (volume|snapshot|flow|flow_step|hold)\b/,
};

async function explain(database: Database, sql: string, params: readonly unknown[]): Promise<string> {
  const explaining = database.dialect === 'sqlite' ? 'EXPLAIN QUERY PLAN' : 'EXPLAIN';
  const rows = await database.reader.query<Record<string, unknown>>(`${explaining} ${sql}`, params);
  return rows.map((row) => row.detail ?? row['QUERY PLAN']).join('\n');
}

interface Asked {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** The same database, whose reads are written down. */
function recording(database: Database): { readonly database: Database; readonly statements: readonly Asked[] } {
  const statements: Asked[] = [];
  const reader: Connection = Object.create(database.reader, {
    execute: {
      value: (sql: string, params: readonly unknown[] = []) => {
        statements.push({ sql, params });
        return database.reader.execute(sql, params);
      },
    },
  });
  return { statements, database: Object.create(database, { read: { value: new Db(reader) } }) };
}

async function fill(database: Database): Promise<void> {
  const [type] = await database.read.selectFrom('volume_type').select('id').execute();
  const numbers = (count: number): string =>
    database.dialect === 'sqlite'
      ? `(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i FROM n) AS n`
      : `generate_series(1, ${count}) AS n (i)`;
  const time = (day: string): string => `'2026-${day}T00:00:00.' || (100000 + i)`;
  await database.write(async ({ connection }) => {
    await connection.run(`
      INSERT INTO volume (id, project_id, user_id, size_gib, status, attach_status, host, volume_type_id, bootable, multiattach,
                          use_quota, metadata, admin_metadata, created_at, revision)
      SELECT 'v' || i, 'p' || (i % 20), 'u', 1, 'available', 'detached', 'n@b' || (i % 10) || '#p', '${type?.id}', 0, 0,
             1, '{}', '{}', ${time('01-01')}, 1 FROM ${numbers(VOLUMES)};
      INSERT INTO snapshot (id, project_id, user_id, volume_id, volume_type_id, volume_size_gib, status, progress, use_quota,
                            metadata, created_at, revision)
      SELECT 's' || i, 'p' || (i % 20), 'u', 'v' || i, '${type?.id}', 1, 'available', '100%', 1, '{}', ${time('01-02')}, 1
      FROM ${numbers(VOLUMES)};
      INSERT INTO flow (id, name, version, lane, state, input, owner, epoch, seq, claims, resource, project_id, request_id,
                        created_at, updated_at, ended_at)
      SELECT 'f' || i, 'create-volume', 1, 'control', 'success', '{}', NULL, 1, 1, 0, 'volume:v' || (i % ${VOLUMES}), 'p', 'r',
             ${time('01-03')}, ${time('01-03')}, ${time('01-03')} FROM ${numbers(FLOWS)};
      INSERT INTO flow_step (flow_id, seq, node, event, attempt, at)
      SELECT 'f' || i, 0, 'storage', 'done', 1, ${time('01-03')} FROM ${numbers(FLOWS)};
      UPDATE flow SET ended_at = NULL, state = 'running', owner = 'other' WHERE id IN ('f1', 'f2', 'f3');`);
    // As it does by itself after a while. SQLite never does.
    if (connection.dialect === 'postgresql') await connection.run('ANALYZE');
  });
}
