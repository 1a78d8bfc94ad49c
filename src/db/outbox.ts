/**
 * The outbox: events written in the transaction of the change they tell of, delivered afterwards to each sink at least once.
 *
 * `seq` rises in the order of writing. On PostgreSQL transactions may commit in another order, so the highest that was
 * delivered says nothing of those below: what a sink has not had is asked for row by row (those who watch read in another order,
 * `watched-events.ts`). Events of one resource still
 * stand in their order, as long as its row is changed before its event is written: the second change waits for the first
 * one's commit.
 */
import { sql } from 'kysely';
import { now, type Timestamp } from '../lib/clock.ts';
import type { NewEvent, OutboxEvent } from '../model/event.ts';
import { transposed } from './sql/by-hand.ts';
import type { Db } from './sql/db.ts';
import type { OutboxTable } from './sql/schema.ts';
import type { CachedTable } from './sql/transaction-cache.ts';
import type { Tx } from './sql/tx.ts';

const COLUMNS =
  'message_id, resource, event_type, priority, publisher_id, payload, project_id, user_id, request_id, created_at';
const APPEND = `INSERT INTO outbox (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const APPEND_ALL = `INSERT INTO outbox (${COLUMNS})
  SELECT ${COLUMNS} FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[]) WITH ORDINALITY AS event (${COLUMNS}, place) ORDER BY place`;

type AppendedEvent = NewEvent & { readonly createdAt: Timestamp };

/** Written when the row that each tells of has been changed, and so locked: another's change, and its event, come later. */
const appended: CachedTable<AppendedEvent> = {
  rank: 9,
  write: (connection, events) => {
    const rows = events.map((event) => [
      event.messageId,
      event.resource,
      event.eventType,
      event.priority,
      event.publisherId,
      event.payload,
      event.projectId,
      event.userId,
      event.requestId,
      event.createdAt,
    ]);
    return connection.dialect === 'postgresql'
      ? [connection.execute(APPEND_ALL, transposed(rows))]
      : rows.map((row) => connection.execute(APPEND, row));
  },
  written: () => undefined,
};

/** The lock of a leader: whoever owns this name delivers events: one of the processes that serve a database. */
export const EVENTS_LEADER = 'pumice-events';

/** In the order given. */
export async function appendEvents({ db: { writeBehind } }: Tx, events: readonly NewEvent[]): Promise<void> {
  for (const event of events) writeBehind.putOff(appended, event.messageId, { ...event, createdAt: now() });
}

/** The highest `seq` of what was written before; 0 when nothing was. */
export async function newestEvent(db: Db, before: Timestamp): Promise<number> {
  const row = await db
    .selectFrom('outbox')
    .select('seq')
    .where('created_at', '<', before)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.seq ?? 0;
}

/**
 * The oldest events after `seq` that the sink has not had, of all resources or of some. To look from 0 is right at any time, and
 * reads through all that is kept; `events/low-water-mark.ts` says from where it is enough to look.
 */
export async function undelivered(
  db: Db,
  sink: string,
  seq: number,
  limit: number,
  resources: { readonly only: readonly string[] } | { readonly except: readonly string[] } = { except: [] },
): Promise<OutboxEvent[]> {
  let select = db.selectFrom('outbox').selectAll().where('seq', '>', seq);
  if ('only' in resources) select = select.where('resource', 'in', resources.only);
  else if (resources.except.length > 0) select = select.where('resource', 'not in', resources.except);
  const rows = await select
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('outbox_delivered')
            .select(sql`1`.as('had'))
            .whereRef('outbox_delivered.seq', '=', 'outbox.seq')
            .where('outbox_delivered.sink', '=', sink),
        ),
      ),
    )
    .orderBy('seq')
    .limit(limit)
    .execute();
  return rows.map(toEvent);
}

/** When the newest event was written that the sink has had; undefined when it has had none of those that are kept. */
export async function newestDelivered(db: Db, sink: string): Promise<Timestamp | undefined> {
  const row = await db
    .selectFrom('outbox_delivered')
    .innerJoin('outbox', 'outbox.seq', 'outbox_delivered.seq')
    .select('outbox.created_at')
    .where('outbox_delivered.sink', '=', sink)
    .orderBy('outbox_delivered.seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.created_at;
}

export async function markDelivered({ db }: Tx, sink: string, seqs: readonly number[]): Promise<void> {
  if (seqs.length === 0) return;
  await db
    .insertInto('outbox_delivered')
    .values(seqs.map((seq) => ({ sink, seq })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Forgets up to `limit` events that are older than `before` and that every one of the sinks has had. Returns how many. */
export async function pruneEvents(
  { db }: Tx,
  sinks: readonly string[],
  before: Timestamp,
  limit: number,
): Promise<number> {
  const had =
    sinks.length === 0
      ? sql<number>`0`
      : sql<number>`(SELECT count(*) FROM outbox_delivered WHERE outbox_delivered.seq = outbox.seq AND sink IN (${sql.join([...sinks])}))`;
  const done = db
    .selectFrom('outbox')
    .select('seq')
    .where('created_at', '<', before)
    .where(had, '=', sinks.length)
    .orderBy('seq')
    .limit(limit);
  const { numDeletedRows } = await db.deleteFrom('outbox').where('seq', 'in', done).executeTakeFirst();
  return Number(numDeletedRows);
}

function toEvent(row: Omit<OutboxTable, 'seq' | 'xid'> & { readonly seq: number }): OutboxEvent {
  return {
    seq: row.seq,
    messageId: row.message_id,
    resource: row.resource,
    eventType: row.event_type,
    priority: row.priority,
    publisherId: row.publisher_id,
    payload: row.payload,
    projectId: row.project_id,
    userId: row.user_id,
    requestId: row.request_id,
    createdAt: row.created_at,
  };
}
