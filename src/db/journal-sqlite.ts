/**
 * The statements of the journal that run for every step of every flow, for SQLite.
 *
 * They run on the writer's connection, synchronously, so nothing can come between the fence and the write.
 */
import { type Claimed, type Hold, hearsWish, type Write } from '../engine/journal.ts';
import type { SqliteConnection } from './connection.ts';

export interface JournalEntry {
  readonly claimed: Claimed;
  readonly write: Write;
  readonly at: string;
}

/** Writes what is not fenced; says of each entry whether it was written. */
export function writeEntries(connection: SqliteConnection, entries: readonly JournalEntry[]): boolean[] {
  const move = connection.statement(
    `UPDATE flow SET state = ?, lane = ?, seq = seq + ?, claims = CASE WHEN ? > 0 THEN 0 ELSE claims END,
       owner = CASE WHEN ? = 1 THEN NULL ELSE owner END, wish = CASE WHEN ? = 1 THEN NULL ELSE wish END, updated_at = ?, ended_at = ?
     WHERE id = ? AND epoch = ? AND seq = ? AND ended_at IS NULL`,
  );
  const insert = connection.statement(
    'INSERT INTO flow_step (flow_id, seq, node, event, attempt, data, started_at, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const release = connection.statement('DELETE FROM hold WHERE flow_id = ?');
  return entries.map(({ claimed: { id, epoch, seq }, write, at }) => {
    const { steps, state, lane, ended, released } = write;
    const leaves = ended || released ? 1 : 0;
    const heard = hearsWish(write) ? 1 : 0;
    const moved = move.run(
      state,
      lane,
      steps.length,
      steps.length,
      leaves,
      heard,
      at,
      ended ? at : null,
      id,
      epoch,
      seq,
    );
    if (moved.changes !== 1) return false;
    let place = seq;
    for (const step of steps) {
      const data = step.data === null ? null : JSON.stringify(step.data);
      insert.run(id, place, step.node, step.event, step.attempt, data, step.startedAt, step.at);
      place += 1;
    }
    if (ended) release.run(id);
    return true;
  });
}

export function isCurrent(connection: SqliteConnection, { id, epoch, seq }: Claimed): boolean {
  return (
    connection
      .statement('SELECT 1 FROM flow WHERE id = ? AND epoch = ? AND seq = ? AND ended_at IS NULL')
      .get(id, epoch, seq) !== undefined
  );
}

/** The flow whose hold forbids this one. */
export function holderAgainst(
  connection: SqliteConnection,
  { resource, mode }: Hold,
  flowId: string,
): { id: string; name: string } | undefined {
  return connection
    .statement(
      `SELECT flow.id, flow.name FROM hold JOIN flow ON flow.id = hold.flow_id
       WHERE hold.resource = ? AND hold.flow_id <> ? AND (hold.mode = 'exclusive' OR ? = 'exclusive') LIMIT 1`,
    )
    .get(resource, flowId, mode) as { id: string; name: string } | undefined;
}
