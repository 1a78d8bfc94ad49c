/**
 * The envelope of oslo.messaging, version 2.0: what a consumer of OpenStack's notifications takes off its queue.
 *
 * It is a function of the outbox's row alone, so an event that is delivered twice has the same ids both times: a consumer
 * drops the second by `message_id`, and oslo's own listener by `_unique_id`.
 *
 * The context names the user, never the token or the roles.
 */
import type { Timestamp } from '../lib/clock.ts';
import type { OutboxEvent } from '../model/event.ts';

export interface Envelope {
  readonly 'oslo.version': '2.0';
  /** JSON in JSON, since the outer layer may be of another version than the inner. */
  readonly 'oslo.message': string;
}

export function envelope(event: OutboxEvent): Envelope {
  return {
    'oslo.version': '2.0',
    'oslo.message': JSON.stringify({
      message_id: event.messageId,
      publisher_id: event.publisherId,
      event_type: event.eventType,
      priority: event.priority,
      payload: JSON.parse(event.payload),
      timestamp: spaced(event.createdAt),
      _unique_id: event.messageId.replaceAll('-', ''),
      _context_request_id: event.requestId,
      _context_project_id: event.projectId,
      _context_user_id: event.userId,
      _context_tenant: event.projectId,
      _context_user: event.userId,
      _context_timestamp: event.createdAt,
    }),
  };
}

/** `2026-01-31 12:00:00.000000` */
const spaced = (at: Timestamp): string => at.replace('T', ' ');
