/** What the driver asks of a pool, whoever answers it (`rbd-client.ts`). */
import type { Hello } from './helper-process.ts';

export interface RbdCall {
  readonly signal: AbortSignal;
  readonly progress?: (fraction: number) => void;
}

export interface RbdOrder {
  readonly op: string;
  readonly args?: Readonly<Record<string, unknown>>;
  /** Names of the images it is about. */
  readonly about?: readonly string[];
  /** It may take hours. */
  readonly long?: boolean;
}

/** A pool, as the driver knows it. */
export interface Rbd {
  /** Connects, and fences nobody. May be called again. */
  start(signal: AbortSignal): Promise<Hello>;
  /** From here on this client is known in the pool as `who`, and whatever was known so before does nothing any more. */
  enter(who: string, signal: AbortSignal): Promise<void>;
  /**
   * Rejects with `RbdFailed`; with `BackendUnanswered` when the cluster is away, and when it was asked and nobody has heard an answer: it may
   * have happened, or happen yet; with `DriverNotInitialized` when there is nobody to ask.
   */
  ask(order: RbdOrder, call: RbdCall): Promise<unknown>;
  /** The cluster was found away, and has not been found back. */
  readonly isSilent: boolean;
  /** Nothing more is asked. */
  stop(): Promise<void>;
}
