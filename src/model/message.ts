/**
 * User messages: why an operation failed, in words that are meant for the project's users and hold nothing that only an
 * operator may know.
 */
import type { Timestamp } from '../lib/clock.ts';

/** As the API says it. */
export type MessageResourceType = 'VOLUME' | 'VOLUME_SNAPSHOT' | 'VOLUME_BACKUP' | 'VOLUME_GROUP';

/** A message to be kept. */
export interface NewMessage {
  readonly projectId: string;
  readonly requestId: string;
  readonly resourceType: MessageResourceType;
  readonly resourceId: string;
  /** `VOLUME_<resource type>_<action>_<detail>`: what programs look at. */
  readonly eventId: string;
  readonly level: 'ERROR';
  readonly text: string;
  /** Kept at least until then. */
  readonly expiresAt: Timestamp;
}
