/**
 * Events: what happened to a resource, told to other programs after it was committed.
 *
 * An event is appended to the outbox in the transaction of the change it tells of, so there is never one without the other.
 * The dispatcher of `events/` delivers the outbox.
 */
import type { Timestamp } from '../lib/clock.ts';

/** An event as the outbox keeps it. */
export interface OutboxEvent {
  /** Rises along the outbox; of two events of one resource the later one has the higher. */
  readonly seq: number;
  /** The id to drop doubles by. */
  readonly messageId: string;
  /** `volume:<id>`. Events of one resource are delivered in order. */
  readonly resource: string;
  /** `volume.create.start` */
  readonly eventType: string;
  readonly priority: 'INFO' | 'ERROR';
  /** Who says so: `volume.<host>`. */
  readonly publisherId: string;
  /** JSON. */
  readonly payload: string;
  /** Whose request led to it. */
  readonly projectId: string;
  readonly userId: string;
  readonly requestId: string;
  readonly createdAt: Timestamp;
}

/** An event to be appended. */
export type NewEvent = Omit<OutboxEvent, 'seq' | 'createdAt'>;
