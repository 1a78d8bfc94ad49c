/** User messages: why an operation of theirs failed. They expire, and then nobody sees them. */
import { now, type Timestamp, uuid } from '../lib/clock.ts';
import { MessageNotFound } from '../model/errors.ts';
import { type Columns, is } from './sql/columns.ts';
import type { Db, Queries, Readers } from './sql/db.ts';
import type { ListFilter, ListQuery } from './sql/list-query.ts';
import { type Listing, page } from './sql/pages.ts';
import type { MessageTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

export interface Message {
  readonly id: string;
  readonly projectId: string;
  readonly requestId: string;
  readonly resourceType: string;
  readonly resourceId: string;
  readonly eventId: string;
  readonly level: string;
  readonly text: string;
  readonly createdAt: Timestamp;
  readonly expiresAt: Timestamp;
}

export type NewMessageRow = Omit<Message, 'id' | 'createdAt'>;
export type MessageField = keyof Message;

const columns: Columns<Message, MessageTable> = {
  id: is('id'),
  projectId: is('project_id'),
  requestId: is('request_id'),
  resourceType: is('resource_type'),
  resourceId: is('resource_uuid'),
  eventId: is('event_id'),
  level: is('message_level'),
  text: is('user_message'),
  createdAt: is('created_at'),
  expiresAt: is('expires_at'),
};

const listing: Listing<Message, MessageTable> = {
  table: 'message',
  columns,
  notFound: (id) => new MessageNotFound(id),
};

export async function insertMessage({ db }: Tx, message: NewMessageRow): Promise<string> {
  const id = uuid();
  await db
    .insertInto('message')
    .values({
      id,
      project_id: message.projectId,
      request_id: message.requestId,
      resource_type: message.resourceType,
      resource_uuid: message.resourceId,
      event_id: message.eventId,
      message_level: message.level,
      user_message: message.text,
      created_at: now(),
      expires_at: message.expiresAt,
    })
    .execute();
  return id;
}

export async function findMessage(db: Db, id: string): Promise<Message | undefined> {
  const row = await db
    .selectFrom('message')
    .selectAll()
    .where('id', '=', id)
    .where('expires_at', '>', now())
    .executeTakeFirst();
  return row && toMessage(row);
}

/** Rejects with `MessageNotFound` when the marker names none. */
export async function listMessages(readers: Readers, query: ListQuery<MessageField>): Promise<Message[]> {
  const unexpired: ListFilter<MessageField> = { is: 'compare', field: 'expiresAt', op: 'gt', value: now() };
  return (await page(readers, listing, { ...query, usual: [unexpired] })).map(toMessage);
}

/** What a request said of a resource, the oldest first. */
export async function messagesOf(db: Queries, resourceId: string, requestId: string): Promise<Message[]> {
  const rows = await db
    .selectFrom('message')
    .selectAll()
    .where('resource_uuid', '=', resourceId)
    .where('request_id', '=', requestId)
    .where('expires_at', '>', now())
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  return rows.map(toMessage);
}

/** False when there was none. */
export async function deleteMessage({ db }: Tx, id: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('message').where('id', '=', id).executeTakeFirst();
  return numDeletedRows > 0n;
}

/** Forgets up to `limit` expired ones. Returns how many. */
export async function pruneMessages({ db }: Tx, limit: number): Promise<number> {
  const expired = db
    .selectFrom('message')
    .select('id')
    .where('expires_at', '<=', now())
    .orderBy('expires_at')
    .limit(limit);
  const { numDeletedRows } = await db.deleteFrom('message').where('id', 'in', expired).executeTakeFirst();
  return Number(numDeletedRows);
}

function toMessage(row: MessageTable): Message {
  return {
    id: row.id,
    projectId: row.project_id,
    requestId: row.request_id,
    resourceType: row.resource_type,
    resourceId: row.resource_uuid,
    eventId: row.event_id,
    level: row.message_level,
    text: row.user_message,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
}
