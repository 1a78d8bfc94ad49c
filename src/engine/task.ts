/**
 * A task: one step of a flow, and how it is undone.
 *
 * A task touches the world or the database, and says which.
 *
 * - A **world** task may run more than once: the process can die between its effect and the journal's entry. It is
 *   idempotent, and so is its revert; names it makes outside come from ids in its input, never from a result that may
 *   have been lost.
 * - A **record** task only writes our database, inside the transaction of its own journal entry: exactly once. It never
 *   waits for anything but that database, and may be run again when the transaction is.
 * - An **obligation** is a record with nothing to do but to be reverted: what must be put right if the flow fails.
 *
 * A revert runs for every task that started, the failed one included, and is told how its own task ended.
 * What a task requires and provides is read from the types of `execute`; nothing is declared twice. Results must survive
 * JSON, or they do not compile.
 */
import type { Json } from '../lib/json.ts';
import type { Copied, Wait } from '../lib/progress.ts';
import type { Failure, FlowFailures } from './failure.ts';

/** `T` when JSON carries it unchanged, else a type that nothing is assignable to. */
// biome-ignore lint/suspicious/noConfusingVoidType: what a function that returns nothing gives
export type Journaled<T> = T extends Json | undefined | void
  ? T
  : T extends (...args: never[]) => unknown
    ? never
    : T extends object
      ? T extends { toJSON: unknown } | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
        ? never
        : { [K in keyof T]: Journaled<T[K]> }
      : never;

/** What a task gives, by name, as JSON carries it; null when it gives nothing. */
export type TaskResult = { readonly [name: string]: Json } | null;

/** How a task ended, as its revert is told. `interrupted`: the process died inside it, or may have. */
export type Outcome<P> =
  | { readonly is: 'done'; readonly result: P }
  | { readonly is: 'failed'; readonly failure: Failure }
  | { readonly is: 'interrupted' };

/** A try of an attempts span that was reverted and given up. */
export interface Rejection {
  readonly attempt: number;
  readonly failure: Failure;
  /** What the span chose, as its `remember` said: the host, for a create. */
  readonly choice: Json;
}

interface CommonContext<Tools> {
  readonly flowId: string;
  readonly requestId: string;
  /** Whose flow it is. */
  readonly projectId: string;
  readonly tools: Tools;
  /** From 1; which try of the span this is. 1 outside of a span. */
  readonly attempt: number;
  readonly rejections: readonly Rejection[];
  /** Empty while the flow goes forward. */
  readonly failures: readonly Failure[];
}

export interface WorldContext<Tools> extends CommonContext<Tools> {
  /** Aborted by cancel, time-out or shutdown. */
  readonly signal: AbortSignal;
  /** 0…1; thinned out by the engine, so it may be called often. */
  progress(fraction: number, copied?: Copied): void;
  /** Says what it waits for, to people; null: it goes on. */
  waiting(wait: Wait | null): void;
  /**
   * Waits for what others have, such as a turn. Meanwhile the flow does not count among those that run at once: others run in its place,
   * and when its wait is over it goes on beside them. So nothing that is let in by turns may let in many.
   */
  aside<Result>(wait: Promise<Result>): Promise<Result>;
}

export interface RecordContext<Tools, Tx> extends CommonContext<Tools> {
  /** The transaction of the journal entry. */
  readonly tx: Tx;
}

export type Reverting<Context> = Context & { readonly failures: FlowFailures };

/** How often a world task is tried in place before its failure counts. */
export interface RetryPolicy {
  /** Tries in all; `Infinity` for a task that only goes forward. */
  readonly tries: number;
  /** Which failures are worth another try. Default: those that say `transient`. */
  readonly when?: (failure: Failure) => boolean;
  /** Milliseconds before the second try; doubles, up to `maxBackoffMs`. */
  readonly backoffMs?: number;
  readonly maxBackoffMs?: number;
}

/** The phantoms keep the inferred types; they are never set. */
export interface Task<R extends object, P extends object> {
  readonly name: string;
  readonly kind: 'world' | 'record';
  readonly requires?: (needs: R) => void;
  readonly provides?: P;
  readonly body: TaskBody;
}

/** A task as the engine runs it, its types erased: the flow's builder has checked that the store has what the task needs. */
export interface TaskBody {
  readonly execute?: (input: object, context: object) => TaskResult | undefined | Promise<TaskResult | undefined>;
  readonly revert?: (input: object, outcome: Outcome<TaskResult>, context: object) => unknown;
  readonly onInterrupt: 'retry' | 'revert';
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  /** Destroys: tried until it succeeds; `cancel` does not stop it, only an operator's `revert` does. */
  readonly forwardOnly: boolean;
}

type Provided<P> = [P] extends [never] ? Record<never, never> : P extends object ? P : Record<never, never>;
type Given<P> = [P] extends [never] ? null : P extends object ? P : null;

interface WorldOptions {
  /** After a crash inside `execute`: run it again (default; it is idempotent), or take the flow back. */
  readonly onInterrupt?: 'retry' | 'revert';
  readonly retry?: RetryPolicy;
  /** Default: no limit of the engine's; programs have their own. */
  readonly timeoutMs?: number;
  readonly forwardOnly?: boolean;
}

const RETRY: RetryPolicy = { tries: 4, backoffMs: 250, maxBackoffMs: 10_000 };
/** What destroys has no way back, so whatever its failure is, it is tried until it succeeds or an operator ends it. */
const FORWARD: RetryPolicy = {
  tries: Number.POSITIVE_INFINITY,
  when: () => true,
  backoffMs: 250,
  maxBackoffMs: 60_000,
};

/** The task makers for flows over these tools and this transaction. */
export function tasksOver<Tools, Tx>() {
  // biome-ignore lint/suspicious/noConfusingVoidType: a task that provides nothing returns nothing
  function world<R extends object, P extends object | void>(
    definition: WorldOptions & {
      readonly name: string;
      execute(input: R, context: WorldContext<Tools>): Promise<P & Journaled<P>> | (P & Journaled<P>);
      revert?(input: R, outcome: Outcome<Given<P>>, context: Reverting<WorldContext<Tools>>): Promise<void> | void;
    },
  ): Task<R, Provided<P>> {
    return { name: definition.name, kind: 'world', body: bodyOf(definition) };
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: a task that provides nothing returns nothing
  function record<R extends object, P extends object | void>(definition: {
    readonly name: string;
    execute(input: R, context: RecordContext<Tools, Tx>): Promise<P & Journaled<P>> | (P & Journaled<P>);
    revert?(input: R, outcome: Outcome<Given<P>>, context: Reverting<RecordContext<Tools, Tx>>): Promise<void> | void;
  }): Task<R, Provided<P>> {
    return { name: definition.name, kind: 'record', body: bodyOf(definition) };
  }

  function obligation<R extends object>(definition: {
    readonly name: string;
    revert(input: R, outcome: Outcome<null>, context: Reverting<RecordContext<Tools, Tx>>): Promise<void> | void;
  }): Task<R, Record<never, never>> {
    return { name: definition.name, kind: 'record', body: bodyOf(definition) };
  }

  return { world, record, obligation };
}

function bodyOf(definition: WorldOptions & { execute?: unknown; revert?: unknown }): TaskBody {
  return {
    ...(definition.execute === undefined ? {} : { execute: definition.execute as NonNullable<TaskBody['execute']> }),
    ...(definition.revert === undefined ? {} : { revert: definition.revert as NonNullable<TaskBody['revert']> }),
    onInterrupt: definition.onInterrupt ?? 'retry',
    retry: { ...(definition.forwardOnly ? FORWARD : RETRY), ...definition.retry },
    timeoutMs: definition.timeoutMs ?? Number.POSITIVE_INFINITY,
    forwardOnly: definition.forwardOnly ?? false,
  };
}
