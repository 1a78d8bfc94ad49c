/**
 * The journal's hot statements for PostgreSQL: they run for every flow and for every step of it.
 *
 * One statement begins all flows of a transaction, and one writes all its steps. The UPDATE in the latter locks each flow's
 * row and compares the epoch under that lock, so a claim by another process comes wholly before or wholly after. `unnest` of
 * arrays, not `jsonb_to_recordset`: the latter's row estimate makes PostgreSQL scan the table (17.8 instead of 2 ms of CPU a
 * flow).
 */
import { type Begun, Held, type Hold, hearsWish, WAITING_LANE } from '../engine/journal.ts';
import { isProgress, type Step, storedData } from '../engine/step.ts';
import { type Beginning, type JournalEntry, leaves } from './journal-sqlite.ts';
import { type PostgresqlConnection, unawaited } from './sql/connection.ts';

/** Writes the steps whose flow is in `flows`; their arrays (`stepArrays`) are the parameters from `first` on. */
const writtenSteps = (flows: string, first: number): string => `
    INSERT INTO flow_step (flow_id, seq, node, event, attempt, data, started_at, at)
    SELECT x.* FROM unnest(${['text', 'bigint', 'text', 'text', 'bigint', 'text', 'text', 'text']
      .map((type, index) => `$${first + index}::${type}[]`)
      .join(', ')}) AS x (flow_id, seq, node, event, attempt, data, started_at, at)
    JOIN ${flows} ON ${flows}.id = x.flow_id`;

/** `seq` of each is its place in its flow's journal. */
function stepArrays(steps: readonly (Step & { readonly flowId: string; readonly seq: number })[]) {
  return [
    steps.map(({ flowId }) => flowId),
    plain(steps.map(({ seq }) => seq)),
    steps.map(({ node }) => node),
    plain(steps.map(({ event }) => event)),
    plain(steps.map(({ attempt }) => attempt)),
    steps.map(storedData),
    plain(steps.map(({ startedAt }) => startedAt)),
    plain(steps.map(({ at }) => at)),
  ];
}

/**
 * The flows, their holds and their first steps, in one journey. Of each a hold that forbids one of its own, if there is one: an exclusive one, and
 * the flow is not made, or a shared one, and it waits.
 */
const BEGIN = `
  WITH wanted AS (
    SELECT * FROM unnest($15::text[], $16::text[], $17::text[]) AS wanted (flow_id, resource, mode)
  ), against AS (
    SELECT DISTINCT ON (wanted.flow_id) wanted.flow_id, hold.resource, hold.mode, flow.id, flow.name
    FROM wanted JOIN hold ON hold.resource = wanted.resource JOIN flow ON flow.id = hold.flow_id
    WHERE hold.flow_id <> wanted.flow_id
      AND (wanted.mode = 'exclusive' OR (hold.mode = 'exclusive' AND hold.waiting = 0))
    ORDER BY wanted.flow_id, hold.mode
  ), made AS (
    INSERT INTO flow (id, name, version, lane, state, input, owner, epoch, seq, claims, resource, project_id, request_id,
      trace, created_at, updated_at, ended_at)
    SELECT f.id, f.name, version, CASE WHEN against.id IS NULL THEN lane ELSE '${WAITING_LANE}' END, state, input,
      CASE WHEN against.id IS NULL THEN owner END, 1, seq, 0, f.resource, project_id, request_id, trace, at, at, ended_at
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
      $10::text[], $11::text[], $12::text[], $13::bigint[], $14::text[])
      AS f (id, name, version, lane, state, input, owner, resource, project_id, request_id, trace, at, seq, ended_at)
      LEFT JOIN against ON against.flow_id = f.id
    WHERE against.mode IS DISTINCT FROM 'exclusive'
    ON CONFLICT (id) DO NOTHING RETURNING id, ended_at
  ), held AS (
    INSERT INTO hold (resource, flow_id, mode, waiting)
    SELECT wanted.resource, made.id, wanted.mode, CASE WHEN against.id IS NULL THEN 0 ELSE 1 END
    FROM wanted JOIN made ON made.id = wanted.flow_id LEFT JOIN against ON against.flow_id = made.id
    WHERE made.ended_at IS NULL
  ), written AS (${writtenSteps('made', 18)}
  )
  SELECT id AS made, NULL AS flow_id, NULL AS resource, NULL AS mode, NULL AS id, NULL AS name FROM made
  UNION ALL SELECT NULL, against.* FROM against`;

interface BegunRow {
  readonly made: string | null;
  readonly flow_id: string;
  readonly resource: string;
  readonly mode: Hold['mode'];
  readonly id: string;
  readonly name: string;
}

/** Of each what became of it, or what is in its way. Who asks for the same resource waits until this transaction has ended. */
export async function insertFlows(
  connection: PostgresqlConnection,
  beginnings: readonly Beginning[],
): Promise<(Begun | Held)[]> {
  takeTurn(
    connection,
    beginnings.flatMap(({ flow }) => flow.holds.map(({ resource }) => resource)),
  );
  const results = new Map<Beginning, Begun | Held>();
  for (let left = beginnings; left.length > 0; left = left.filter((each) => !results.has(each))) {
    await beginApart(connection, apart(left), results);
  }
  return beginnings.map((each) => results.get(each) as Begun | Held);
}

/**
 * Until the transaction ends nobody else decides who holds these. A statement of its own: the next one then sees what those
 * have committed who had the turn before.
 */
export function takeTurn(connection: PostgresqlConnection, resources: readonly string[]): void {
  if (resources.length === 0) return;
  // In one order, so that two processes never wait for each other's resource.
  const inOrder = [...new Set(resources)].sort();
  unawaited(
    connection.prepared(
      'hold-turn',
      'SELECT pg_advisory_xact_lock(hashtextextended(resource, 1)) FROM unnest($1::text[]) AS resource',
      [inOrder],
    ),
  );
}

/** The first of them, without those that are in its way or another's before them: a statement does not see what it does itself. */
function apart(beginnings: readonly Beginning[]): readonly Beginning[] {
  const taken = new Map<string, Hold['mode']>();
  return beginnings.filter(({ flow: { id, holds } }) => {
    const takes: readonly Hold[] = [{ resource: id, mode: 'exclusive' }, ...holds];
    if (takes.some(({ resource, mode }) => forbids(taken.get(resource), mode))) return false;
    for (const { resource, mode } of takes) taken.set(resource, mode);
    return true;
  });
}

const forbids = (taken: Hold['mode'] | undefined, mode: Hold['mode']): boolean =>
  taken !== undefined && (taken === 'exclusive' || mode === 'exclusive');

async function beginApart(
  connection: PostgresqlConnection,
  beginnings: readonly Beginning[],
  results: Map<Beginning, Begun | Held>,
): Promise<void> {
  const flows = beginnings.map(({ flow }) => flow);
  const wanted = flows.flatMap(({ id, holds }) => holds.map((hold) => ({ ...hold, id })));
  const rows = await connection.prepared<BegunRow>('journal-begin', BEGIN, [
    flows.map(({ id }) => id),
    flows.map(({ name }) => name),
    flows.map(({ version }) => version),
    beginnings.map(({ flow, ahead }) => ahead?.lane ?? flow.lane),
    plain(beginnings.map(({ ahead }) => ahead?.state ?? 'pending')),
    flows.map(({ input }) => JSON.stringify(input)),
    beginnings.map(({ flow, ahead }) => (leaves(ahead) ? null : flow.owner)),
    flows.map(({ resource }) => resource),
    flows.map(({ projectId }) => projectId),
    flows.map(({ requestId }) => requestId),
    plain(flows.map(({ trace }) => trace)),
    beginnings.map(({ at }) => at),
    plain(beginnings.map(({ ahead }) => ahead?.steps.length ?? 0)),
    beginnings.map(({ ahead, at }) => (ahead?.ended ? at : null)),
    wanted.map(({ id }) => id),
    wanted.map(({ resource }) => resource),
    wanted.map(({ mode }) => mode),
    ...stepArrays(
      beginnings.flatMap(
        ({ flow, ahead }) => ahead?.steps.map((step, seq) => ({ ...step, flowId: flow.id, seq })) ?? [],
      ),
    ),
  ]);
  const made = new Set(rows.map((row) => row.made));
  const against = new Map(rows.flatMap((row) => (row.made === null ? [[row.flow_id, row] as const] : [])));
  for (const each of beginnings) {
    const other = against.get(each.flow.id);
    if (other?.mode === 'exclusive')
      results.set(each, new Held(other.resource, { flowId: other.id, name: other.name }));
    else if (!made.has(each.flow.id)) results.set(each, 'there');
    else results.set(each, other ? 'waits' : 'made');
  }
}

const WRITE = `
  WITH w AS (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::boolean[], $8::boolean[], $9::boolean[],
      $10::boolean[]) AS w (id, epoch, seq, added, state, lane, ended, leaves, heard, progress)
  ), moved AS (
    UPDATE flow SET state = w.state, lane = w.lane, seq = w.seq + w.added,
      claims = CASE WHEN w.progress THEN 0 ELSE flow.claims END,
      owner = CASE WHEN w.leaves THEN NULL ELSE flow.owner END,
      wish = CASE WHEN w.heard THEN NULL ELSE flow.wish END,
      updated_at = $11, ended_at = CASE WHEN w.ended THEN $11 END
    FROM w WHERE flow.id = w.id AND flow.epoch = w.epoch AND flow.seq = w.seq AND flow.ended_at IS NULL
    RETURNING flow.id, flow.ended_at
  ), written AS (${writtenSteps('moved', 12)}
  ), let_go AS (
    DELETE FROM hold USING moved WHERE moved.ended_at IS NOT NULL AND hold.flow_id = moved.id
  )
  SELECT id FROM moved`;

/** Writes what is not fenced; says of each entry whether it was written. */
export async function writeEntries(
  connection: PostgresqlConnection,
  entries: readonly JournalEntry[],
): Promise<boolean[]> {
  const steps = entries.flatMap(({ claimed, write }) =>
    write.steps.map((step, index) => ({ ...step, flowId: claimed.id, seq: claimed.seq + index })),
  );
  const rows = await connection.prepared<{ id: string }>('journal-write', WRITE, [
    entries.map(({ claimed }) => claimed.id),
    plain(entries.map(({ claimed }) => claimed.epoch)),
    plain(entries.map(({ claimed }) => claimed.seq)),
    plain(entries.map(({ write }) => write.steps.length)),
    plain(entries.map(({ write }) => write.state)),
    entries.map(({ write }) => write.lane),
    plain(entries.map(({ write }) => write.ended)),
    plain(entries.map(({ write }) => leaves(write))),
    plain(entries.map(({ write }) => hearsWish(write))),
    plain(entries.map(({ write }) => isProgress(write.steps))),
    entries.at(-1)?.at,
    ...stepArrays(steps),
  ]);
  const written = new Set(rows.map(({ id }) => id));
  return entries.map(({ claimed }) => written.has(claimed.id));
}

/** An array of what needs no quotes: numbers, words of ours, time stamps. `pg` would look through each for some. */
const plain = (values: readonly (string | number | boolean | null)[]): string =>
  `{${values.map((value) => value ?? 'NULL').join(',')}}`;
