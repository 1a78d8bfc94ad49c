/**
 * Tasks for the engine's tests. Each notes what it does, gives its own name, and does besides what the test says under its
 * name (`on`): fail, wait, look at its context. `-name` is the revert's.
 */
import { flowsOver } from '../../src/engine/flow.ts';
import {
  type Outcome,
  type RecordContext,
  type Reverting,
  type Task,
  tasksOver,
  type WorldContext,
} from '../../src/engine/task.ts';
import type { RowTx } from './memory-journal.ts';

export type AtWork = Omit<WorldContext<Tools>, 'signal' | 'progress' | 'aside' | 'waiting'> &
  Partial<WorldContext<Tools>> &
  Partial<RecordContext<Tools, RowTx>>;

/** What a task sees when it is called. */
export interface Call {
  readonly input: Readonly<Record<string, unknown>>;
  readonly context: AtWork;
  readonly outcome?: Outcome<unknown>;
}

export interface Tools {
  /** What world tasks and reverts did, in order. */
  readonly did: string[];
  readonly on: Record<string, (call: Call) => unknown>;
}

export const tools = (): Tools => ({ did: [], on: {} });

export const { world, record, obligation } = tasksOver<Tools, RowTx>();
export const flow = flowsOver<Tools, RowTx>();

type WorldOptions = Partial<Pick<Parameters<typeof world>[0], 'onInterrupt' | 'retry' | 'timeoutMs' | 'forwardOnly'>>;
type Gives<N extends string> = Task<object, { readonly [K in N]: string }>;

/** Works in the world: notes `+name`, and `-name outcome` for its revert. */
export function makes<const N extends string>(name: N, options: WorldOptions = {}): Gives<N> {
  return world({
    ...options,
    name,
    execute: async (input: object, context) => {
      context.tools.did.push(`+${name}`);
      await context.tools.on[name]?.({ input: { ...input }, context });
      return { [name]: `${name}!` };
    },
    revert: async (input, outcome, context: Reverting<WorldContext<Tools>>) => {
      context.tools.did.push(`-${name} ${outcome.is}`);
      await context.tools.on[`-${name}`]?.({ input: { ...input }, context, outcome });
    },
  }) as unknown as Gives<N>;
}

/** As `makes`, but what it did needs no undoing. */
export function looks<const N extends string>(name: N, options: WorldOptions = {}): Gives<N> {
  return world({
    ...options,
    name,
    execute: async (input: object, context) => {
      context.tools.did.push(`+${name}`);
      await context.tools.on[name]?.({ input: { ...input }, context });
      return { [name]: `${name}!` };
    },
  }) as unknown as Gives<N>;
}

/** Counts in the row `name` how often it has run, and how often its revert, in `-name`. */
export function counts<const N extends string>(name: N): Gives<N> {
  return record({
    name,
    execute: async (input: object, context) => {
      await context.tx.count(name);
      await context.tools.on[name]?.({ input: { ...input }, context });
      return { [name]: `${name}!` };
    },
    revert: async (input, outcome, context) => {
      await context.tx.count(`-${name}`);
      await context.tools.on[`-${name}`]?.({ input: { ...input }, context, outcome });
    },
  }) as unknown as Gives<N>;
}

/** Nothing to do but to be reverted: counts that in the row `-name`. */
export function owes(name: string): Task<object, Record<never, never>> {
  return obligation({
    name,
    revert: async (input: object, outcome, context) => {
      await context.tx.count(`-${name}`);
      await context.tools.on[`-${name}`]?.({ input: { ...input }, context, outcome });
    },
  });
}

/** Something to throw. `elsewhere` and `transient` as failures have them. */
export class Broken extends Error {
  override readonly name = 'Broken';
  readonly transient: boolean;
  readonly elsewhere: boolean;
  readonly unanswered: boolean;
  readonly unasked: boolean;
  constructor(
    message = 'It broke.',
    { transient = false, elsewhere = false, unanswered = false, unasked = false } = {},
  ) {
    super(message);
    this.transient = transient;
    this.elsewhere = elsewhere;
    this.unanswered = unanswered;
    this.unasked = unasked;
  }
}

export const breaks =
  (message?: string, flags?: ConstructorParameters<typeof Broken>[1]): (() => never) =>
  () => {
    throw new Broken(message, flags);
  };

/** Fails the first `times` times. */
export function breaksTimes(times: number, flags?: ConstructorParameters<typeof Broken>[1]): () => void {
  let left = times;
  return () => {
    left -= 1;
    if (left >= 0) throw new Broken(undefined, flags);
  };
}
