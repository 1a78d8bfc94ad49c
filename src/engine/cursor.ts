/**
 * Where a flow stands, and what comes next: all decisions, no effects.
 *
 * `advance` folds one step of the journal into a cursor; `plan` says what to do from there. A flow that was just begun,
 * one that runs, and one that is recovered after a crash go through the same two functions, so recovery is not another
 * way through the code. The steps:
 *
 * | event | of | data | means |
 * |---|---|---|---|
 * | done | task | result | its results are in the store |
 * | failed | task | failure | the flow reverts; `interrupted` when the process died inside |
 * | chosen | when, lane | true/false, lane | asked once, never again |
 * | cancelled | the next node | failure, `interrupted` | the flow reverts without running it |
 * | reverted | task | | its revert has run |
 * | revert_failed | task | failure | the flow is stuck here until resumed |
 * | abandoned | task | reason | an operator gives its revert up; those of the others go on |
 * | rejected | span | rejection | the span is reverted; it begins again |
 * | retried | task | failure | for people: it failed and is tried again in place |
 */

import type { Timestamp } from '../lib/clock.ts';
import type { Json } from '../lib/json.ts';
import type { Failure } from './failure.ts';
import type { AnyFlow, LaneNode, Node, ParallelNode, SpanNode, Store, TaskNode, WhenNode } from './flow.ts';
import type { Outcome, Rejection } from './task.ts';

export type StepEvent =
  | 'done'
  | 'failed'
  | 'chosen'
  | 'cancelled'
  | 'reverted'
  | 'revert_failed'
  | 'abandoned'
  | 'rejected'
  | 'retried';

/** Whether a node ends with the step. What else a task journals on its way tells people of it, and is no progress. */
const ENDS_NODE: Readonly<Record<StepEvent, boolean>> = {
  done: true,
  failed: true,
  chosen: true,
  cancelled: true,
  reverted: true,
  revert_failed: true,
  abandoned: true,
  rejected: true,
  retried: false,
};

export const isProgress = (steps: readonly Step[]): boolean => steps.some(({ event }) => ENDS_NODE[event]);

export interface Step {
  readonly node: string;
  readonly event: StepEvent;
  readonly attempt: number;
  readonly data: Json;
  readonly startedAt: Timestamp | null;
  readonly at: Timestamp;
}

/** A task that has started, newest last; reverts take them from the end. */
interface Started {
  readonly node: TaskNode | LaneNode;
  readonly index: number;
  readonly outcome: Outcome<Json>;
}

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
  | { readonly do: 'revert'; readonly node: TaskNode; readonly outcome: Outcome<Json> }
  | { readonly do: 'judge'; readonly node: SpanNode; readonly index: number }
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
    if (each?.node.kind === 'lane' && each.outcome.is === 'done') return each.outcome.result as string;
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
    if (top.node.kind === 'task' && top.node.body.revert !== undefined)
      return { do: 'revert', node: top.node, outcome: top.outcome };
  }
  return span === undefined ? { do: 'end', state: 'reverted' } : { do: 'judge', ...span };
}

/** The span the failed node stands in, if the failure says another try may help. */
function openSpan(cursor: Cursor): { node: SpanNode; index: number } | undefined {
  if (cursor.final || cursor.failures.length === 0 || !cursor.failures.every((failure) => failure.elsewhere))
    return undefined;
  return spanAround(cursor);
}

function spanAround(cursor: Cursor): { node: SpanNode; index: number } | undefined {
  for (const [index, node] of cursor.flow.nodes.entries()) {
    if (node.kind === 'span' && index <= cursor.at && cursor.at < node.end) return { node, index };
  }
  return undefined;
}

function storeOf(input: Store, started: readonly Started[]): Store {
  const store: Record<string, Json | undefined> = { ...input };
  for (const { node, outcome } of started)
    if (node.kind === 'task' && outcome.is === 'done') Object.assign(store, outcome.result);
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
      return cursor;
  }
}

export const replay = (flow: AnyFlow, input: Store, steps: readonly Step[]): Cursor =>
  steps.reduce(advance, begin(flow, input));

/** A step's data when it is a failure. */
export interface FailureData {
  readonly failure: Failure;
  readonly interrupted: boolean;
  /** The span it stands in has had all its tries. Decided once, before anything is reverted. */
  readonly final?: boolean;
}

/** Whether the try that runs is the last one of its span. The limit is the tools' to say. */
export function isLastTry<Tools>(cursor: Cursor, tools: Tools): boolean {
  const span = spanAround(cursor);
  return span !== undefined && cursor.attempt >= span.node.options.limit(tools as never);
}

function reported(cursor: Cursor, step: Step): Cursor {
  const index = entered(cursor);
  const node = cursor.flow.nodes[index];
  const task = node?.kind === 'parallel' ? node.branches.find(({ path }) => path === step.node) : node;
  if (node === undefined || task?.kind !== 'task' || task.path !== step.node)
    throw new JournalMismatch(`step ${step.node} is not ${node?.path ?? 'the end'}`);
  const failed = step.event === 'failed' ? (step.data as unknown as FailureData) : undefined;
  const outcome: Outcome<Json> =
    failed === undefined
      ? { is: 'done', result: step.data }
      : failed.interrupted
        ? { is: 'interrupted' }
        : { is: 'failed', failure: failed.failure };
  const branches = node.kind === 'parallel' ? node.branches.length : 1;
  const all = cursor.reported + 1 === branches;
  const failures = failed ? [...cursor.failures, failed.failure] : cursor.failures;
  const reverting = all && failures.length > 0;
  const store = outcome.is === 'done' ? { ...cursor.store, ...(outcome.result as Store | null) } : cursor.store;
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

/** The node the flow stands at, going forward; undefined at the end. */
export const standing = (cursor: Cursor): Node | undefined => cursor.flow.nodes[entered(cursor)];

/** Spans are entered without a step of their own. */
function entered(cursor: Cursor): number {
  let index = cursor.at;
  while (cursor.flow.nodes[index]?.kind === 'span') index += 1;
  return index;
}

function chosen(cursor: Cursor, step: Step): Cursor {
  const index = entered(cursor);
  const node = cursor.flow.nodes[index];
  if (node?.path !== step.node) throw new JournalMismatch(`step ${step.node} is not ${node?.path ?? 'the end'}`);
  if (node.kind === 'when') return { ...cursor, at: step.data === true ? index + 1 : node.skipTo };
  if (node.kind !== 'lane') throw new JournalMismatch(`${node.path} chooses nothing`);
  return {
    ...cursor,
    at: index + 1,
    started: [...cursor.started, { node, index, outcome: { is: 'done', result: step.data } }],
  };
}

function cancelled(cursor: Cursor, step: Step): Cursor {
  const { failure, interrupted } = step.data as unknown as FailureData;
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
function reverted(cursor: Cursor, step: Step): Cursor {
  const place = cursor.started.findLastIndex(({ node }) => node.path === step.node);
  const each = cursor.started[place];
  if (each === undefined) throw new JournalMismatch(`nothing to revert for ${step.node}`);
  return { ...remaining(cursor, cursor.started.slice(0, place)), stuck: false };
}

function rejected(cursor: Cursor, step: Step): Cursor {
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
    rejections: [...cursor.rejections, step.data as unknown as Rejection],
    attempt: cursor.attempt + 1,
  };
}
