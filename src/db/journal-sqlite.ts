/**
 * The journal's hot statements for SQLite: they run for every flow and for every step of it.
 *
 * They run on the writer's connection, synchronously, so nothing can come between the fence and the write.
 */
import {
  type Begun,
  type Claimed,
  Held,
  type Hold,
  hearsWish,
  type NewFlow,
  WAITING_LANE,
  type Write,
} from '../engine/journal.ts';
import { isProgress, type Step, storedData } from '../engine/step.ts';
import type { SqliteConnection } from './sql/connection.ts';

export interface JournalEntry {
  readonly claimed: Claimed;
  readonly write: Write;
  readonly at: string;
}

export interface Beginning {
  readonly flow: NewFlow;
  /** What it has done in its own transaction. */
  readonly ahead: Write | undefined;
  readonly at: string;
}

export function insertFlow(connection: SqliteConnection, { flow, ahead, at }: Beginning): Begun | Held {
  const { id, name, version, lane, input, owner, resource, projectId, requestId, trace, holds } = flow;
  let waits = false;
  for (const hold of holds) {
    const holder = holderAgainst(connection, hold, id);
    if (holder?.mode === 'exclusive') return new Held(hold.resource, { flowId: holder.id, name: holder.name });
    if (holder) waits = true;
  }
  const inserted = connection
    .statement(
      `INSERT INTO flow (id, name, version, lane, state, input, owner, epoch, seq, claims, resource, project_id, request_id,
         trace, created_at, updated_at, ended_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, 0, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
    )
    .run(
      id,
      name,
      version,
      waits ? WAITING_LANE : (ahead?.lane ?? lane),
      ahead?.state ?? 'pending',
      JSON.stringify(input),
      waits || leaves(ahead) ? null : owner,
      ahead?.steps.length ?? 0,
      resource,
      projectId,
      requestId,
      trace,
      at,
      at,
      ahead?.ended ? at : null,
    );
  if (inserted.changes !== 1) return 'there';
  insertSteps(connection, id, 0, ahead?.steps ?? []);
  if (ahead?.ended) return waits ? 'waits' : 'made';
  const hold = connection.statement('INSERT INTO hold (resource, flow_id, mode, waiting) VALUES (?, ?, ?, ?)');
  for (const { resource, mode } of holds) hold.run(resource, id, mode, waits ? 1 : 0);
  return waits ? 'waits' : 'made';
}

export const leaves = (write: Write | undefined): boolean => write !== undefined && (write.ended || write.released);

function insertSteps(connection: SqliteConnection, flowId: string, from: number, steps: readonly Step[]): void {
  const insert = connection.statement(
    'INSERT INTO flow_step (flow_id, seq, node, event, attempt, data, started_at, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  let seq = from;
  for (const step of steps) {
    const { node, event, attempt, startedAt, at } = step;
    insert.run(flowId, seq, node, event, attempt, storedData(step), startedAt, at);
    seq += 1;
  }
}

/** Writes what is not fenced; says of each entry whether it was written. */
export function writeEntries(connection: SqliteConnection, entries: readonly JournalEntry[]): boolean[] {
  const move = connection.statement(
    `UPDATE flow SET state = ?, lane = ?, seq = seq + ?, claims = CASE WHEN ? = 1 THEN 0 ELSE claims END,
       owner = CASE WHEN ? = 1 THEN NULL ELSE owner END, wish = CASE WHEN ? = 1 THEN NULL ELSE wish END, updated_at = ?, ended_at = ?
     WHERE id = ? AND epoch = ? AND seq = ? AND ended_at IS NULL`,
  );
  // SQLite writes anew the entry of every index that holds a column which is set, changed or not. Most writes change none.
  const step = connection.statement(
    `UPDATE flow SET state = ?, seq = seq + ?, claims = CASE WHEN ? = 1 THEN 0 ELSE claims END, updated_at = ?
     WHERE id = ? AND epoch = ? AND seq = ? AND lane = ? AND ended_at IS NULL`,
  );
  const release = connection.statement('DELETE FROM hold WHERE flow_id = ?');
  return entries.map(({ claimed: { id, epoch, seq }, write, at }) => {
    const { steps, state, lane, ended } = write;
    const left = leaves(write) ? 1 : 0;
    const heard = hearsWish(write) ? 1 : 0;
    const added = steps.length;
    const progress = isProgress(steps) ? 1 : 0;
    const stepped =
      left === 0 && heard === 0 && step.run(state, added, progress, at, id, epoch, seq, lane).changes === 1;
    if (!stepped) {
      const endedAt = ended ? at : null;
      const moved = move.run(state, lane, added, progress, left, heard, at, endedAt, id, epoch, seq);
      if (moved.changes !== 1) return false;
    }
    insertSteps(connection, id, seq, steps);
    if (ended) release.run(id);
    return true;
  });
}

interface Holder {
  readonly id: string;
  readonly name: string;
  readonly mode: Hold['mode'];
}

/** A flow whose hold forbids this one; before others one that has the resource for itself, or waits for that. */
function holderAgainst(connection: SqliteConnection, { resource, mode }: Hold, flowId: string): Holder | undefined {
  return connection
    .statement(
      `SELECT flow.id, flow.name, hold.mode FROM hold JOIN flow ON flow.id = hold.flow_id
       WHERE hold.resource = ? AND hold.flow_id <> ? AND (? = 'exclusive' OR (hold.mode = 'exclusive' AND hold.waiting = 0))
       ORDER BY hold.mode = 'exclusive' DESC LIMIT 1`,
    )
    .get(resource, flowId, mode) as Holder | undefined;
}
