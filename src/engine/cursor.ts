/**
 * The cursor: where a flow stands in its journal, and what comes next. A pure state machine: all decisions, no effects.
 *
 * `advance` folds one step of the journal into a cursor; `plan` says what to do from there. A flow that was just begun,
 * one that runs, and one that is recovered after a crash go through the same two functions, so recovery is not another
 * way through the code. The steps are in `step.ts`.
 */
import type { Json } from '../lib/json.ts';
import type { Failure } from './failure.ts';
import type { AnyFlow, LaneNode, Node, ParallelNode, SpanNode, Store, TaskNode, WhenNode } from './flow.ts';
import type { Step, StepOf } from './step.ts';
import type { Outcome, Rejection, TaskResult } from './task.ts';

/** A task that has started, or a lane that was chosen, newest last; reverts take them from the end. */
type Started =
  | { readonly node: TaskNode; readonly index: number; readonly outcome: Outcome<TaskResult> }
  | { readonly node: LaneNode; readonly index: number; readonly lane: string };

export interface Cursor {
  readonly flow: AnyFlow;
  readonly input: Store;
  /** Index of the next node while going forward. */
  readonly at: number;
  readonly reverting: boolean;
  /** A revert failed and waits for an operator. */
  readonly stuck: boolean;
  readonly started: readonly Started[];
  /** Everything visible by name: the input, then what the tasks that are done gave. */
  readonly store: Store;
  readonly failures: readonly Failure[];
  readonly rejections: readonly Rejection[];
  readonly attempt: number;
  /** No other attempt follows: the flow was cancelled, or its span has had all its tries. */
  readonly final: boolean;
  /** Branches of the parallel node at `at` that have reported. */
  readonly reported: number;
  /** The store when the flow turned back: what the failed try had chosen. */
  readonly tried: Store;
}

export type Action =
  | { readonly do: 'execute'; readonly node: TaskNode }
  | { readonly do: 'parallel'; readonly node: ParallelNode }
  | { readonly do: 'choose'; readonly node: WhenNode }
  | { readonly do: 'lane'; readonly node: LaneNode }
  | { readonly do: 'revert'; readonly node: TaskNode; readonly outcome: Outcome<TaskResult> }
  /** `failure`: the first one of the try. */
  | { readonly do: 'judge'; readonly node: SpanNode; readonly index: number; readonly failure: Failure }
  | { readonly do: 'end'; readonly state: 'success' | 'reverted' };

export const FIRST_LANE = 'control';

export function begin(flow: AnyFlow, input: Store): Cursor {
  return {
    flow,
    input,
    at: 0,
    reverting: false,
    stuck: false,
    started: [],
    store: input,
    failures: [],
    rejections: [],
    attempt: 1,
    final: false,
    reported: 0,
    tried: {},
  };
}

/**
 * The lane that the next world task, or revert of one, belongs to: that of the last lane node before it. Records may run
 * anywhere.
 */
export function laneOf({ started, reverting }: Cursor): string {
  let from = started.length - 1;
  if (reverting) while (from >= 0 && !undoneInWorld(started[from])) from -= 1;
  for (; from >= 0; from -= 1) {
    const each = started[from];
    if (each !== undefined && 'lane' in each) return each.lane;
  }
  return FIRST_LANE;
}

const undoneInWorld = (each: Started | undefined): boolean =>
  each?.node.kind === 'task' && !each.node.record && each.node.body.revert !== undefined;

/** What comes next. */
export function plan(cursor: Cursor): Action {
  if (cursor.reverting) return planRevert(cursor);
  const node = standing(cursor);
  if (!node) return { do: 'end', state: 'success' };
  switch (node.kind) {
    case 'task':
      return { do: 'execute', node };
    case 'parallel':
      return { do: 'parallel', node };
    case 'when':
      return { do: 'choose', node };
    case 'lane':
      return { do: 'lane', node };
    case 'span':
      throw new JournalMismatch(`${node.path} is entered without a step`);
  }
}

function planRevert(cursor: Cursor): Action {
  const span = openSpan(cursor);
  for (const top of cursor.started.toReversed()) {
    if (span !== undefined && top.index < span.index) break;
    if ('outcome' in top && top.node.body.revert !== undefined)
      return { do: 'revert', node: top.node, outcome: top.outcome };
  }
  return span === undefined ? { do: 'end', state: 'reverted' } : { do: 'judge', ...span };
}

/** The span the failed node stands in, if the failure says another try may help. */
function openSpan(cursor: Cursor): { node: SpanNode; index: number; failure: Failure } | undefined {
  const [failure] = cursor.failures;
  if (cursor.final || failure === undefined || !cursor.failures.every(({ elsewhere }) => elsewhere)) return undefined;
  const span = spanAround(cursor);
  return span && { ...span, failure };
}

function spanAround(cursor: Cursor): { node: SpanNode; index: number } | undefined {
  for (const [index, node] of cursor.flow.nodes.entries()) {
    if (node.kind === 'span' && index <= cursor.at && cursor.at < node.end) return { node, index };
  }
  return undefined;
}

function storeOf(input: Store, started: readonly Started[]): Store {
  const store: Record<string, Json | undefined> = { ...input };
  for (const each of started)
    if ('outcome' in each && each.outcome.is === 'done') Object.assign(store, each.outcome.result);
  return store;
}

const remaining = (cursor: Cursor, started: readonly Started[]): Cursor => ({
  ...cursor,
  started,
  store: storeOf(cursor.input, started),
});

/** A journal that the flow's nodes cannot have written. `engine/upgrade.ts` catches it. */
export class JournalMismatch extends Error {
  override readonly name = 'JournalMismatch';
}

/** The cursor after one more step. Pure; the same for a step being written and one read back. */
export function advance(cursor: Cursor, step: Step): Cursor {
  switch (step.event) {
    case 'done':
    case 'failed':
      return reported(cursor, step);
    case 'chosen':
      return chosen(cursor, step);
    case 'cancelled':
      return cancelled(cursor, step);
    case 'reverted':
    case 'abandoned':
      return reverted(cursor, step);
    case 'revert_failed':
      return { ...cursor, stuck: true };
    case 'rejected':
      return rejected(cursor, step);
    case 'retried':
    case 'interrupted':
      return cursor;
  }
}

export const replay = (flow: AnyFlow, input: Store, steps: readonly Step[]): Cursor =>
  steps.reduce(advance, begin(flow, input));

/** Whether the try that runs is the last one of its span. The limit is the tools' to say. */
export function isLastTry<Tools>(cursor: Cursor, tools: Tools): boolean {
  const span = spanAround(cursor);
  return span !== undefined && cursor.attempt >= span.node.options.limit(tools);
}

function reported(cursor: Cursor, step: StepOf<'done' | 'failed'>): Cursor {
  const index = entered(cursor);
  const node = cursor.flow.nodes[index];
  const task = node?.kind === 'parallel' ? node.branches.find(({ path }) => path === step.node) : node;
  if (node === undefined || task?.kind !== 'task' || task.path !== step.node)
    throw new JournalMismatch(`step ${step.node} is not ${node?.path ?? 'the end'}`);
  const failed = step.event === 'failed' ? step.data : undefined;
  const outcome = outcomeOf(step);
  const branches = node.kind === 'parallel' ? node.branches.length : 1;
  const all = cursor.reported + 1 === branches;
  const failures = failed ? [...cursor.failures, failed.failure] : cursor.failures;
  const reverting = all && failures.length > 0;
  const store = outcome.is === 'done' ? { ...cursor.store, ...outcome.result } : cursor.store;
  return {
    ...cursor,
    started: [...cursor.started, { node: task, index, outcome }],
    store,
    failures,
    reverting,
    final: cursor.final || failed?.final === true,
    reported: all ? 0 : cursor.reported + 1,
    at: all && !reverting ? index + 1 : index,
    tried: reverting ? store : cursor.tried,
  };
}

/** How the task ended, as its revert is told. */
export function outcomeOf(step: StepOf<'done' | 'failed'>): Outcome<TaskResult> {
  if (step.event === 'done') return { is: 'done', result: step.data };
  return step.data.interrupted ? { is: 'interrupted' } : { is: 'failed', failure: step.data.failure };
}

/** The node the flow stands at, going forward; undefined at the end. */
export const standing = (cursor: Cursor): Node | undefined => cursor.flow.nodes[entered(cursor)];

/** Spans are entered without a step of their own. */
function entered(cursor: Cursor): number {
  let index = cursor.at;
  while (cursor.flow.nodes[index]?.kind === 'span') index += 1;
  return index;
}

function chosen(cursor: Cursor, step: StepOf<'chosen'>): Cursor {
  const index = entered(cursor);
  const node = cursor.flow.nodes[index];
  if (node?.path !== step.node) throw new JournalMismatch(`step ${step.node} is not ${node?.path ?? 'the end'}`);
  if (node.kind === 'when') return { ...cursor, at: step.data === true ? index + 1 : node.skipTo };
  if (node.kind !== 'lane' || typeof step.data !== 'string')
    throw new JournalMismatch(`${node.path} chooses nothing like it`);
  return { ...cursor, at: index + 1, started: [...cursor.started, { node, index, lane: step.data }] };
}

function cancelled(cursor: Cursor, step: StepOf<'cancelled'>): Cursor {
  const { failure, interrupted } = step.data;
  const index = entered(cursor);
  const node = cursor.flow.nodes[index];
  const tasks =
    !interrupted || node === undefined
      ? []
      : node.kind === 'parallel'
        ? node.branches
        : node.kind === 'task'
          ? [node]
          : [];
  return {
    ...cursor,
    at: index,
    reverting: true,
    final: true,
    reported: 0,
    failures: [...cursor.failures, failure],
    started: [
      ...cursor.started,
      ...tasks.map((task) => ({ node: task, index, outcome: { is: 'interrupted' } as const })),
    ],
  };
}

/** Tasks without a revert leave no step; the next one that has left one was below them. */
function reverted(cursor: Cursor, step: StepOf<'reverted' | 'abandoned'>): Cursor {
  const place = cursor.started.findLastIndex(({ node }) => node.path === step.node);
  const each = cursor.started[place];
  if (each === undefined) throw new JournalMismatch(`nothing to revert for ${step.node}`);
  return { ...remaining(cursor, cursor.started.slice(0, place)), stuck: false };
}

function rejected(cursor: Cursor, step: StepOf<'rejected'>): Cursor {
  const index = cursor.flow.nodes.findIndex((node) => node.kind === 'span' && node.path === step.node);
  if (index < 0) throw new JournalMismatch(`no span ${step.node}`);
  return {
    ...remaining(
      cursor,
      cursor.started.filter((each) => each.index < index),
    ),
    at: index + 1,
    reverting: false,
    failures: [],
    rejections: [...cursor.rejections, step.data],
    attempt: cursor.attempt + 1,
  };
}
