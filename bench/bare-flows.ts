/**
 * The least that durable flows of six tasks can be: `node bench/bare-flows.ts DATABASE FLOWS` writes the rows of
 * `flows-pumice.ts`, and nothing else. Fifty flows begin in one commit, each of their tasks is one commit of all, the last is
 * their end, with the same tables, the same library and the same sync. It has no engine, no fence, no look at other flows' holds.
 * Prints a line of JSON.
 */
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { openDatabase, sqlitePath } from '../src/db/database.ts';
import { now, orderedUuid, uuid } from '../src/lib/clock.ts';
import { median } from './report.ts';

const TOGETHER = 50;
const TASKS = ['one', 'two', 'three', 'four', 'five', 'six'];
const [url = '', count = '2000'] = process.argv.slice(2);
const flows = Number(count);

interface Flow {
  readonly id: string;
  readonly resource: string;
}

/** Each is one durable commit. */
interface Bare {
  begin(flows: readonly Flow[], at: string): Promise<void>;
  step(flows: readonly Flow[], seq: number, at: string): Promise<void>;
  close(): Promise<void>;
}

const isLast = (seq: number): boolean => seq === TASKS.length - 1;
const resultOf = ({ resource }: Flow, seq: number): string => JSON.stringify({ [TASKS[seq] ?? '']: resource });
const inputOf = ({ resource }: Flow): string => JSON.stringify({ volumeId: resource, sizeGiB: 1 });
const requestOf = ({ id }: Flow): string => `req-${id}`;

function onSqlite(): Bare {
  const database = new DatabaseSync(sqlitePath(url), { enableForeignKeyConstraints: true });
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY');
  const begin = database.prepare(
    `INSERT INTO flow (id, name, version, lane, state, input, owner, epoch, seq, claims, resource, project_id, request_id, created_at,
       updated_at) VALUES (?, 'six_tasks', 1, 'control', 'pending', ?, 'bare', 1, 0, 0, ?, 'bench', ?, ?, ?)`,
  );
  const hold = database.prepare("INSERT INTO hold (resource, flow_id, mode, waiting) VALUES (?, ?, 'exclusive', 0)");
  const write = database.prepare("INSERT INTO flow_step VALUES (?, ?, ?, 'done', 1, ?, ?, ?)");
  const move = database.prepare("UPDATE flow SET state = 'running', seq = seq + 1, updated_at = ? WHERE id = ?");
  const end = database.prepare(
    "UPDATE flow SET state = 'success', seq = seq + 1, owner = NULL, updated_at = ?, ended_at = ? WHERE id = ?",
  );
  const letGo = database.prepare('DELETE FROM hold WHERE flow_id = ?');
  const committed = (work: () => void): void => {
    database.exec('BEGIN IMMEDIATE');
    work();
    database.exec('COMMIT');
  };
  return {
    begin: async (those, at) =>
      committed(() => {
        for (const each of those) {
          begin.run(each.id, inputOf(each), each.resource, requestOf(each), at, at);
          hold.run(each.resource, each.id);
        }
      }),
    step: async (those, seq, at) =>
      committed(() => {
        for (const each of those) {
          write.run(each.id, seq, TASKS[seq] ?? '', resultOf(each, seq), at, at);
          if (isLast(seq)) {
            end.run(at, at, each.id);
            letGo.run(each.id);
          } else move.run(at, each.id);
        }
      }),
    close: async () => database.close(),
  };
}

const BEGIN = `
  WITH f AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS f (id, input, resource, request_id)),
  made AS (
    INSERT INTO flow (id, name, version, lane, state, input, owner, epoch, seq, claims, resource, project_id, request_id, created_at, updated_at)
    SELECT id, 'six_tasks', 1, 'control', 'pending', input, 'bare', 1, 0, 0, resource, 'bench', request_id, $5, $5 FROM f)
  INSERT INTO hold (resource, flow_id, mode, waiting) SELECT resource, id, 'exclusive', 0 FROM f`;
const STEP = `
  WITH f AS (SELECT * FROM unnest($1::text[], $2::text[]) AS f (id, data)),
  moved AS (
    UPDATE flow SET state = CASE WHEN $6 THEN 'success' ELSE 'running' END, seq = seq + 1, updated_at = $5,
      owner = CASE WHEN $6 THEN NULL ELSE owner END, ended_at = CASE WHEN $6 THEN $5 END FROM f WHERE flow.id = f.id),
  let_go AS (DELETE FROM hold USING f WHERE $6 AND hold.flow_id = f.id)
  INSERT INTO flow_step (flow_id, seq, node, event, attempt, data, started_at, at)
  SELECT id, $3::bigint, $4::text, 'done', 1, data, $5, $5 FROM f`;

async function onPostgresql(): Promise<Bare> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('SET plan_cache_mode = force_generic_plan');
  // A statement outside of a transaction is one.
  return {
    begin: async (those, at) => {
      const values = [those.map(({ id }) => id), those.map(inputOf), those.map(({ resource }) => resource)];
      await client.query({ name: 'begin', text: BEGIN, values: [...values, those.map(requestOf), at] });
    },
    step: async (those, seq, at) => {
      const values = [those.map(({ id }) => id), those.map((each) => resultOf(each, seq)), seq, TASKS[seq], at];
      await client.query({ name: 'step', text: STEP, values: [...values, isLast(seq)] });
    },
    close: () => client.end(),
  };
}

// The tables are Pumice's own.
await (await openDatabase(url, { as: 'server' })).close();
const bare = url.startsWith('sqlite:') ? onSqlite() : await onPostgresql();
let commits = 0;

/** Milliseconds that they took. */
async function runTogether(many: number): Promise<number> {
  const begun = performance.now();
  const those = Array.from({ length: many }, () => ({ id: orderedUuid(), resource: `volume:${uuid()}` }));
  await bare.begin(those, now());
  for (const seq of TASKS.keys()) await bare.step(those, seq, now());
  commits += 1 + TASKS.length;
  return performance.now() - begun;
}

async function run(count: number, together: number): Promise<number[]> {
  const latencies: number[] = [];
  for (let left = count; left > 0; left -= together) latencies.push(await runTogether(Math.min(together, left)));
  return latencies;
}

await run(flows / 4, TOGETHER);
commits = 0;
const began = performance.now();
const cpuBefore = process.cpuUsage();
await run(flows, TOGETHER);
const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
const commitsMade = commits;
const latencies = await run(Math.ceil(flows / 20), 1);
console.log(
  JSON.stringify({
    perSecond: flows / seconds,
    cpuMs: (user + system) / 1000 / flows,
    commits: commitsMade / flows,
    latencyMs: median(latencies),
  }),
);
await bare.close();
