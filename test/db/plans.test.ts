/**
 * Ten thousand volumes and a long history slow nothing down: what is asked for all day goes through an index. Asked of the
 * database's own plan and not of a clock, which on a shared machine says nothing.
 */
import assert from 'node:assert/strict';
import type { Database } from '../../src/db/database.ts';
import { countUnendedFlows } from '../../src/db/flow-counts.ts';
import { type FlowPageQuery, flowPage } from '../../src/db/flow-page.ts';
import { newestEnded, oldFlows } from '../../src/db/flow-times.ts';
import { flowsOfRequest } from '../../src/db/flows-of-request.ts';
import { flowsOn } from '../../src/db/flows-on.ts';
import { DatabaseJournal } from '../../src/db/journal.ts';
import { whatKeeps } from '../../src/db/journal-holds.ts';
import { listSnapshotKeys, listSnapshots } from '../../src/db/snapshots.ts';
import { queriesOver } from '../../src/db/sql/db.ts';
import type { ListFilter, ListQuery } from '../../src/db/sql/list-query.ts';
import { statusCounts } from '../../src/db/status-counts.ts';
import { lateTimesOf } from '../../src/db/usual-times.ts';
import {
  countVolumes,
  findVolumes,
  listVolumeKeys,
  listVolumes,
  summarizeVolumes,
  type VolumeField,
} from '../../src/db/volumes.ts';
import type { Patient } from '../../src/doctor/checks/check.ts';
import { transient } from '../../src/doctor/checks/transient.ts';
import { proveStore } from '../prove-store.ts';

const VOLUMES = 10_000;
const FLOWS = 30_000;

const MINE: Filters = [{ is: 'equal', field: 'projectId', value: 'p7' }];
const by = (field: 'name' | 'status', ...values: readonly (string | null)[]): Filters => [
  ...MINE,
  values.length === 1 ? { is: 'equal', field, value: values[0] as string | null } : { is: 'in', field, values },
];
const sorted = <Field extends string>(field: Field, direction: 'asc' | 'desc' = 'desc') => [{ field, direction }];

/** A page of each is read from one end of an index, or from its ends in several places, and no row is passed over. */
const SERVED: readonly (readonly [
  index: string,
  query: ListQuery<'projectId' | 'name' | 'status' | 'createdAt' | 'id'>,
])[] = [
  ['project', { filters: MINE }],
  ['project', { filters: MINE, sort: sorted('createdAt', 'asc') }],
  [
    'project',
    { filters: [...MINE, { is: 'compare', field: 'createdAt', op: 'gte', value: '2026-01-01T00:00:00.109900' }] },
  ],
  ['created', {}],
  ['name', { filters: by('name', 'disk-27') }],
  ['name', { filters: by('name', 'nothing') }],
  ['name', { filters: by('name', 'disk-27', null) }],
  ['name', { filters: MINE, sort: sorted('name') }],
  ['name', { filters: MINE, sort: sorted('name', 'asc') }],
  ['status', { filters: by('status', 'error') }],
  ['status', { filters: by('status', 'available') }],
  ['status', { filters: by('status', 'available', 'error') }],
  ['status', { filters: by('status', 'available', 'error'), sort: sorted('status') }],
  ['status', { filters: MINE, sort: sorted('status', 'asc') }],
];

proveStore('plans', (test) => {
  for (const table of ['volume', 'snapshot'] as const) {
    test(`a page of ${table}s by project, name, status or time is read from an index, in its order`, async ({
      database,
    }) => {
      await fill(database);
      const list = table === 'volume' ? listVolumeKeys : listSnapshotKeys;
      for (const [index, query] of SERVED) {
        const [, second] = await list(database, query);
        for (const marker of second === undefined ? [{}] : [{}, { marker: second.id }]) {
          const asked = recording(database);
          await list(asked.database, { ...query, ...marker, limit: 10 });
          assert.deepEqual(asked.searches, []);
          const statement = asked.statements.at(-1);
          const plan = await explain(database, statement?.sql ?? '', statement?.params ?? []);
          const about = `${JSON.stringify(query)}\n${statement?.sql}\n${plan}`;
          const used = [...plan.matchAll(/(?:INDEX|using|Scan on) (\w+)/g)].map(([, name]) => name);
          assert.deepEqual(
            [...new Set(used)].filter((name) => name !== 'page' && name !== table),
            [`${table}_${index}`],
            about,
          );
          assert.doesNotMatch(plan, passesOver[database.dialect], about);
        }
      }
    });
  }

  test('a list that no index serves is asked where it holds up nobody', async ({ database }) => {
    const others: readonly ListQuery<VolumeField>[] = [
      { filters: [...MINE, { is: 'contains', field: 'name', text: 'x' }] },
      { filters: [...MINE, { is: 'entry', field: 'metadata', key: 'k', value: 'v' }] },
      { filters: [...MINE, { is: 'starts-with', field: 'host', text: 'n@b3#' }] },
      { filters: [...MINE, { is: 'equal', field: 'bootable', value: true }] },
      { filters: [...by('status', 'error'), { is: 'equal', field: 'name', value: 'disk' }] },
      { filters: [...MINE, { is: 'equal', field: 'projectId', value: 'p8' }] },
      { filters: [{ is: 'equal', field: 'status', value: 'error' }] },
      { filters: MINE, sort: sorted('sizeGiB') },
      { filters: by('status', 'error'), sort: sorted('name') },
      { filters: MINE, sort: [...sorted('name'), ...sorted('createdAt', 'asc')] },
      { filters: MINE, offset: 6_000 },
    ];
    for (const query of others) {
      const { database: watched, statements, searches } = recording(database);
      await listVolumeKeys(watched, query);
      await listVolumes(watched, query);
      assert.deepEqual([statements.length, searches.length], [0, 2], JSON.stringify(query));
    }
    const { database: watched, statements } = recording(database);
    await countVolumes(watched, MINE);
    await summarizeVolumes(watched, MINE);
    assert.deepEqual(statements, []);
  });

  test('what is asked for all day is found by index', async ({ database }) => {
    await fill(database);
    const asked = recording(database);
    const db = asked.database;
    const mine = MINE;
    const [marker] = await listVolumes(db, { filters: mine, limit: 1 });
    assert.ok(marker);
    await listVolumes(db, { filters: mine, limit: 1000, marker: marker.id });
    await listVolumeKeys(db, { filters: mine, limit: 1000 });
    await listVolumes(db, { limit: 1000 });
    await findVolumes(db.read, [marker.id]);
    await listSnapshots(db, { filters: [{ is: 'equal', field: 'volumeId', value: marker.id }] });

    const journal = new DatabaseJournal(asked.database);
    const knows = [{ name: 'create_volume', version: 1 }];
    await journal.claim({
      process: 'me',
      lanes: ['control'],
      admit: (claims) => ({ claims, limit: 10 }),
      dropped: [],
      knows,
      fence: async () => true,
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
    assert.ok(asked.statements.length > 11);
  });

  test('what is at work on a page of volumes is found without a look at the flows of others', async ({ database }) => {
    await fill(database);
    await database.write(async ({ connection }) => {
      await connection.run(`
        INSERT INTO hold (resource, flow_id, mode) SELECT 'volume:v' || substr(id, 2), id, 'exclusive' FROM flow;`);
      if (connection.dialect === 'postgresql') await connection.run('ANALYZE hold');
    });
    const asked = recording(database);
    const flows = await flowsOn(asked.database.read, ['volume:v1', 'volume:v2', 'volume:v9']);
    assert.deepEqual([...flows.keys()].sort(), ['volume:v1', 'volume:v2']);
    await whatKeeps(asked.database.read, ['f1', 'f2']);
    for (const { sql, params } of asked.statements) {
      const plan = await explain(database, sql, params);
      assert.doesNotMatch(plan, wholeTable[database.dialect], `${sql}\n${plan}`);
    }
    assert.equal(asked.statements.length, 2);
  });

  test('how many are in each status is read from an index alone, where it holds up nobody', async ({ database }) => {
    await fill(database);
    for (const table of ['volume', 'snapshot', 'backup'] as const) {
      const asked = recording(database);
      await statusCounts(asked.database, table, 'p7');
      assert.deepEqual([asked.statements.length, asked.searches.length], [0, 1]);
      const [statement] = asked.searches;
      const plan = await explain(database, statement?.sql ?? '', statement?.params ?? []);
      if (database.dialect === 'sqlite') assert.match(plan, new RegExp(`COVERING INDEX ${table}_status`), plan);
    }
  });

  test('the doctor finds transient statuses without a look at the rows of others', async ({ database }) => {
    await fill(database);
    const asked = recording(database);
    await transient.examine({ db: asked.database } as Patient);
    // Of volumes, snapshots, groups, group snapshots and backups; of the last three this database has none.
    assert.equal(asked.statements.length, 5);
    for (const { sql, params } of asked.statements) {
      const plan = await explain(database, sql, params);
      assert.doesNotMatch(
        plan,
        /SCAN (volume|snapshot) USING INDEX|Seq Scan on (volume|snapshot)\b/,
        `${sql}\n${plan}`,
      );
    }
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

  test('what alarms and metrics ask of flows again and again goes along the index of those that end, or do not', async ({
    database,
  }) => {
    await fill(database);
    for (const [index, ask] of [
      [/flow_unended_(owner|lane)\b/, (db) => countUnendedFlows(db)],
      [/flow_unended_(owner|lane)\b/, (db) => oldFlows(db, '2030-01-01T00:00:00.000000', 500)],
      [/flow_ended\b/, (db) => newestEnded(db, 1_000)],
    ] satisfies readonly (readonly [RegExp, (db: Database['read']) => Promise<readonly unknown[]>])[]) {
      const asked = recording(database);
      assert.ok((await ask(asked.database.read)).length > 0);
      const [statement] = asked.statements;
      const plan = await explain(database, statement?.sql ?? '', statement?.params ?? []);
      assert.match(plan, index, `${statement?.sql}\n${plan}`);
      if (index.source.includes('flow_ended')) assert.doesNotMatch(plan, passesOver[database.dialect], plan);
    }
  });

  test('a page of flows is read in the order of an index, or asked where it holds up nobody', async ({ database }) => {
    await fill(database);
    await database.write(async ({ connection }) => {
      await connection.run("UPDATE flow SET state = 'reverted' WHERE ended_at IS NOT NULL AND id LIKE '%77'");
      if (connection.dialect === 'postgresql') await connection.run('ANALYZE flow');
    });
    for (const [index, query] of [
      [/flow_pkey|sqlite_autoindex_flow_1/, {}],
      [/flow_project\b/, { projectId: 'of few flows' }],
      [/flow_failed\b/, { state: 'reverted' }],
      [/flow_failed_project\b/, { state: 'reverted', projectId: 'p' }],
      [/flow_unended_(owner|lane)\b/, { unended: true, projectId: 'p' }],
      [/flow_unended_(owner|lane)\b/, { state: 'stuck', name: 'create-volume' }],
      [/flow_resource\b/, { resources: ['volume:v1'] }],
      [/flow_resource\b/, { resources: ['volume:v1'], state: 'reverted', projectId: 'p' }],
      [/flow_resource\b/, { resources: ['volume:v1', 'snapshot:v1'] }],
    ] satisfies readonly (readonly [RegExp, Omit<FlowPageQuery, 'limit'>])[]) {
      const [, second] = await flowPage(database, { ...query, limit: 10 });
      for (const after of second === undefined ? [{}] : [{}, { after: second }]) {
        const asked = recording(database);
        await flowPage(asked.database, { ...query, ...after, limit: 10 });
        assert.deepEqual(asked.searches, []);
        const [statement] = asked.statements;
        const plan = await explain(database, statement?.sql ?? '', statement?.params ?? []);
        const about = `${JSON.stringify(query)}\n${statement?.sql}\n${plan}`;
        assert.match(plan, index, about);
        assert.doesNotMatch(plan, wholeTable[database.dialect], about);
      }
    }
    const passingOver = [
      { name: 'create-volume' },
      { state: 'success' },
      { state: 'success', projectId: 'p' },
    ] as const;
    for (const query of passingOver) {
      const asked = recording(database);
      await flowPage(asked.database, { ...query, limit: 10 });
      assert.deepEqual([asked.statements.length, asked.searches.length], [0, 1]);
    }
  });
});

proveStore('plans of why', (test) => {
  test('the usual time of a task is read from a few flows, found by index', async ({ database }) => {
    await fill(database);
    const asked = recording(database);
    assert.equal((await lateTimesOf(asked.database.read, 'create-volume', 'storage')).length, 0);
    await flowsOfRequest(asked.database, 'r-of-nobody');
    assert.deepEqual([asked.statements.length, asked.searches.length], [3, 1]);
    for (const { sql, params } of asked.statements) {
      const plan = await explain(database, sql, params);
      assert.doesNotMatch(plan, wholeTable[database.dialect], `${sql}\n${plan}`);
      assert.doesNotMatch(plan, /autoindex_flow_1 *$/m, plan);
    }
  });
});

type Filters = readonly ListFilter<'projectId' | 'name' | 'status'>[];

/** Rows are looked at and left out, or sorted first; PostgreSQL sorts where it expects a few. */
const passesOver = { sqlite: /TEMP B-TREE/, postgresql: /Filter:|Sort +\(\S+ rows=\d{3}/ };

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

/** The same database, whose reads and searches are written down. */
function recording(database: Database): {
  readonly database: Database;
  readonly statements: readonly Asked[];
  readonly searches: readonly Asked[];
} {
  const written = (asked: Asked[]) =>
    queriesOver({
      dialect: database.dialect,
      execute: (sql, params = []) => {
        asked.push({ sql, params });
        return database.reader.execute(sql, params);
      },
    });
  const statements: Asked[] = [];
  const searches: Asked[] = [];
  const readers = { read: { value: written(statements) }, search: { value: written(searches) } };
  return { statements, searches, database: Object.create(database, readers) };
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
      INSERT INTO volume (id, project_id, user_id, name, size_gib, status, attach_status, host, volume_type_id, bootable, multiattach,
                          use_quota, metadata, admin_metadata, created_at, revision)
      SELECT 'v' || i, 'p' || (i % 20), 'u', 'disk-' || i, 1, CASE WHEN i % 1000 = 7 THEN 'error' WHEN i % 40 < 20 THEN 'available' ELSE 'in-use' END, 'detached', 'n@b' || (i % 10) || '#p', '${type?.id}', 0, 0,
             1, '{}', '{}', ${time('01-01')}, 1 FROM ${numbers(VOLUMES)};
      INSERT INTO snapshot (id, project_id, user_id, volume_id, volume_type_id, volume_size_gib, name, status, progress,
                            use_quota, metadata, created_at, revision)
      SELECT 's' || i, 'p' || (i % 20), 'u', 'v' || i, '${type?.id}', 1, 'disk-' || i, CASE WHEN i % 1000 = 7 THEN 'error' WHEN i % 40 < 20 THEN 'available' ELSE 'in-use' END, '100%', 1, '{}', ${time('01-02')}, 1
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
