/**
 * The envelope of oslo.messaging, version 2.0: what a consumer of OpenStack's notifications takes off its queue.
 *
 * It is a function of the outbox entry alone, so an event that is delivered twice has the same ids both times: a consumer
 * drops the second by `message_id`, and oslo's own listener by `_unique_id`.
 *
 * The context tells who asked, never with what: no token and no roles.
 */
import type { Timestamp } from '../lib/clock.ts';
import type { OutboxEntry } from '../model/event.ts';

export interface Envelope {
  readonly 'oslo.version': '2.0';
  /** JSON in JSON, since the outer layer may be of another version than the inner. */
  readonly 'oslo.message': string;
}

export function envelope(entry: OutboxEntry): Envelope {
  return {
    'oslo.version': '2.0',
    'oslo.message': JSON.stringify({
      message_id: entry.messageId,
      publisher_id: entry.publisherId,
      event_type: entry.type,
      priority: entry.priority,
      payload: entry.payload,
      timestamp: spaced(entry.createdAt),
      _unique_id: entry.messageId.replaceAll('-', ''),
      _context_request_id: entry.requestId,
      _context_project_id: entry.projectId,
      _context_user_id: entry.userId,
      _context_tenant: entry.projectId,
      _context_user: entry.userId,
      _context_timestamp: entry.createdAt,
    }),
  };
}

/** `2026-01-31 12:00:00.000000` */
const spaced = (at: Timestamp): string => at.replace('T', ' ');
