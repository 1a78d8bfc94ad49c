/**
 * The statements of the journal that run for every flow and every step of it, for PostgreSQL.
 *
 * One statement writes the steps of all flows of a turn. Its UPDATE locks each flow's row and compares the epoch under
 * that lock, so a claim by another process comes wholly before or wholly after. `unnest` of arrays, not
 * `jsonb_to_recordset`: the latter's row estimate makes PostgreSQL scan the table (17.8 instead of 2 ms of CPU a flow).
 */
import { type Claimed, Held, hearsWish, type NewFlow } from '../engine/journal.ts';
import { type PostgresqlConnection, unawaited } from './connection.ts';
import type { JournalEntry } from './journal-sqlite.ts';

/** The flow and its holds, or the flow whose hold forbids one of them, in one journey. */
const BEGIN = `
  WITH wanted AS (
    SELECT * FROM unnest($11::text[], $12::text[]) AS wanted (resource, mode)
  ), against AS (
    SELECT hold.resource, flow.id, flow.name
    FROM wanted JOIN hold ON hold.resource = wanted.resource JOIN flow ON flow.id = hold.flow_id
    WHERE hold.flow_id <> $1 AND (hold.mode = 'exclusive' OR wanted.mode = 'exclusive') LIMIT 1
  ), made AS (
    INSERT INTO flow (id, name, version, lane, state, input, owner, epoch, seq, claims, resource, project_id, request_id,
      created_at, updated_at)
    SELECT $1, $2, $3, $4, 'pending', $5, $6, 1, 0, 0, $7, $8, $9, $10, $10 WHERE NOT EXISTS (SELECT 1 FROM against)
    ON CONFLICT (id) DO NOTHING RETURNING id
  ), held AS (
    INSERT INTO hold (resource, flow_id, mode) SELECT wanted.resource, made.id, wanted.mode FROM wanted, made
  )
  SELECT (SELECT count(*) FROM made) AS made, against.* FROM (SELECT 1) AS one LEFT JOIN against ON true`;

interface Begun {
  readonly made: number;
  readonly resource: string | null;
  readonly id: string;
  readonly name: string;
}

/** False when the flow is there already. Throws `Held`. Who asks for the same resource waits until this transaction has ended. */
export async function insertFlow(connection: PostgresqlConnection, flow: NewFlow, at: string): Promise<boolean> {
  const { id, name, version, lane, input, owner, projectId, requestId, holds } = flow;
  const resources = holds.map(({ resource }) => resource);
  // A statement of its own: the next one then sees what those who had the lock before have committed.
  if (holds.length > 0)
    unawaited(
      connection.prepared(
        'hold-turn',
        'SELECT pg_advisory_xact_lock(hashtextextended(resource, 1)) FROM unnest($1::text[]) AS resource',
        [resources],
      ),
    );
  const modes = holds.map(({ mode }) => mode);
  const given = [id, name, version, lane, JSON.stringify(input), owner, flow.resource, projectId, requestId, at];
  const [begun] = await connection.prepared<Begun>('journal-begin', BEGIN, [...given, resources, modes]);
  if (begun?.resource != null) throw new Held(begun.resource, { flowId: begun.id, name: begun.name });
  return begun?.made === 1;
}

const WRITE = `
  WITH w AS (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::boolean[], $8::boolean[], $9::boolean[])
      AS w (id, epoch, seq, added, state, lane, ended, leaves, heard)
  ), moved AS (
    UPDATE flow SET state = w.state, lane = w.lane, seq = w.seq + w.added,
      claims = CASE WHEN w.added > 0 THEN 0 ELSE flow.claims END,
      owner = CASE WHEN w.leaves THEN NULL ELSE flow.owner END,
      wish = CASE WHEN w.heard THEN NULL ELSE flow.wish END,
      updated_at = $10, ended_at = CASE WHEN w.ended THEN $10 END
    FROM w WHERE flow.id = w.id AND flow.epoch = w.epoch AND flow.seq = w.seq AND flow.ended_at IS NULL
    RETURNING flow.id
  ), written AS (
    INSERT INTO flow_step (flow_id, seq, node, event, attempt, data, started_at, at)
    SELECT x.* FROM unnest($11::text[], $12::bigint[], $13::text[], $14::text[], $15::bigint[], $16::text[], $17::text[], $18::text[])
      AS x (flow_id, seq, node, event, attempt, data, started_at, at)
    JOIN moved ON moved.id = x.flow_id
  ), let_go AS (
    DELETE FROM hold USING w, moved WHERE w.id = moved.id AND w.ended AND hold.flow_id = w.id
  )
  SELECT id FROM moved`;

/** Writes what is not fenced; says of each entry whether it was written. */
export async function writeEntries(
  connection: PostgresqlConnection,
  entries: readonly JournalEntry[],
): Promise<boolean[]> {
  const steps = entries.flatMap(({ claimed, write }) =>
    write.steps.map((step, index) => ({ ...step, id: claimed.id, seq: claimed.seq + index })),
  );
  const rows = await connection.prepared<{ id: string }>('journal-write', WRITE, [
    entries.map(({ claimed }) => claimed.id),
    entries.map(({ claimed }) => claimed.epoch),
    entries.map(({ claimed }) => claimed.seq),
    entries.map(({ write }) => write.steps.length),
    entries.map(({ write }) => write.state),
    entries.map(({ write }) => write.lane),
    entries.map(({ write }) => write.ended),
    entries.map(({ write }) => write.ended || write.released),
    entries.map(({ write }) => hearsWish(write)),
    entries.at(-1)?.at,
    steps.map(({ id }) => id),
    steps.map(({ seq }) => seq),
    steps.map(({ node }) => node),
    steps.map(({ event }) => event),
    steps.map(({ attempt }) => attempt),
    steps.map(({ data }) => (data === null ? null : JSON.stringify(data))),
    steps.map(({ startedAt }) => startedAt),
    steps.map(({ at }) => at),
  ]);
  const written = new Set(rows.map(({ id }) => id));
  return entries.map(({ claimed }) => written.has(claimed.id));
}

/** Keeps the row locked until the transaction ends. */
export async function isCurrent(connection: PostgresqlConnection, { id, epoch, seq }: Claimed): Promise<boolean> {
  const rows = await connection.prepared(
    'journal-fence',
    'SELECT 1 FROM flow WHERE id = $1 AND epoch = $2 AND seq = $3 AND ended_at IS NULL FOR UPDATE',
    [id, epoch, seq],
  );
  return rows.length === 1;
}
