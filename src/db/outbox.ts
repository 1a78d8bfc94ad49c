/**
 * The outbox: events written in the transaction of the change they tell of, delivered afterwards to each sink at least once.
 *
 * `seq` rises in the order of writing. On PostgreSQL transactions may commit in another order, so nothing is ever skipped
 * by a high-water mark: what a sink has not had is asked for row by row. Events of one resource still stand in their
 * order, as long as its row is changed before its event is written: the second change waits for the first one's commit.
 */
import { type Kysely, sql } from 'kysely';
import { now, type Timestamp } from '../lib/clock.ts';
import type { OutboxTable, Tables } from './schema.ts';
import type { Tx } from './writer.ts';

export interface OutboxEvent {
  readonly seq: number;
  /** The id to drop doubles by. */
  readonly messageId: string;
  /** `volume:<id>` */
  readonly resource: string;
  readonly eventType: string;
  readonly priority: 'INFO' | 'ERROR';
  readonly publisherId: string;
  /** JSON. */
  readonly payload: string;
  readonly projectId: string;
  readonly userId: string;
  readonly requestId: string;
  readonly createdAt: Timestamp;
}

export type NewEvent = Omit<OutboxEvent, 'seq' | 'createdAt'>;

/** In the order given. */
export async function appendEvents({ db }: Tx, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await db
    .insertInto('outbox')
    .values(
      events.map((event) => ({
        message_id: event.messageId,
        resource: event.resource,
        event_type: event.eventType,
        priority: event.priority,
        publisher_id: event.publisherId,
        payload: event.payload,
        project_id: event.projectId,
        user_id: event.userId,
        request_id: event.requestId,
        created_at: now(),
      })),
    )
    .execute();
}

/** The oldest events the sink has not had. */
export async function undelivered(db: Kysely<Tables>, sink: string, limit: number): Promise<OutboxEvent[]> {
  const rows = await db
    .selectFrom('outbox')
    .selectAll()
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

/** Events written after one, of any resource or of one project: for those who watch. */
export async function eventsAfter(
  db: Kysely<Tables>,
  seq: number,
  limit: number,
  projectId?: string,
): Promise<OutboxEvent[]> {
  let select = db.selectFrom('outbox').selectAll().where('seq', '>', seq).orderBy('seq').limit(limit);
  if (projectId !== undefined) select = select.where('project_id', '=', projectId);
  return (await select.execute()).map(toEvent);
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

function toEvent(row: Omit<OutboxTable, 'seq'> & { readonly seq: number }): OutboxEvent {
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
