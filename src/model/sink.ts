/** How a sink of events is: what is kept of it, so that a restart forgets nothing and every process can show it. */
import type { Timestamp } from '../lib/clock.ts';

/** Something that fails and is tried again. */
export interface Retried {
  /** Of its first failure. */
  readonly since: Timestamp;
  /** That failed. */
  readonly tries: number;
  /** Of its last failure. */
  readonly reason: string;
  /** Null: not before a restart. */
  readonly nextTryAt: Timestamp | null;
}

/** A resource whose events wait for one that was refused. */
export interface WaitingResource extends Retried {
  /** `volume:<id>` */
  readonly resource: string;
  /** Of the event that was refused. */
  readonly seq: number;
}

export interface SinkState {
  /** When it last took an event; null when it never did. */
  readonly succeededAt: Timestamp | null;
  /** Null when it takes what it is given. `nextTryAt` is that of whatever is tried first. */
  readonly failing: Retried | null;
  readonly waiting: readonly WaitingResource[];
}

/** What has come of a delivery. */
export interface SinkChange extends Pick<SinkState, 'succeededAt' | 'failing'> {
  /** Resources that wait anew, or are tried at another time. */
  readonly waits: readonly WaitingResource[];
  /** All that wait; undefined where none has come or gone. */
  readonly waiting?: readonly string[] | undefined;
}

export const UNTRIED: SinkState = { succeededAt: null, failing: null, waiting: [] };
