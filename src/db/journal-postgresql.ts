/**
 * The statements of the journal that run for every step of every flow, for PostgreSQL.
 *
 * One statement writes the steps of all flows of a turn. Its UPDATE locks each flow's row and compares the epoch under
 * that lock, so a claim by another process comes wholly before or wholly after. `unnest` of arrays, not
 * `jsonb_to_recordset`: the latter's row estimate makes PostgreSQL scan the table (17.8 instead of 2 ms of CPU a flow).
 */
import { type Claimed, type Hold, hearsWish } from '../engine/journal.ts';
import type { PostgresqlConnection } from './connection.ts';
import type { JournalEntry } from './journal-sqlite.ts';

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

/** The flow whose hold forbids this one. Who asks for the same resource waits until this transaction has ended. */
export async function holderAgainst(
  connection: PostgresqlConnection,
  { resource, mode }: Hold,
  flowId: string,
): Promise<{ id: string; name: string } | undefined> {
  await connection.prepared('hold-turn', 'SELECT pg_advisory_xact_lock(hashtextextended($1, 1))', [resource]);
  const [holder] = await connection.prepared<{ id: string; name: string }>(
    'hold-against',
    `SELECT flow.id, flow.name FROM hold JOIN flow ON flow.id = hold.flow_id
     WHERE hold.resource = $1 AND hold.flow_id <> $2 AND (hold.mode = 'exclusive' OR $3 = 'exclusive') LIMIT 1`,
    [resource, flowId, mode],
  );
  return holder;
}
