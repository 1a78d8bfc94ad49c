/**
 * What a flow does inside one transaction: from a cursor on, all that needs no world — choices, lanes, records and
 * their reverts, the judgement of a span — until a world task, the end, or a lane that is another's comes next.
 *
 * It may be called again for the same cursor, in another transaction: nothing here but the database may change. A record
 * that throws leaves as `RecordFailed`, so that the transaction is rolled back and made again with its failure in its
 * place; it spoils no other.
 */
import { now, type Timestamp } from '../lib/clock.ts';
import type { Json } from '../lib/json.ts';
import {
  type Action,
  advance,
  type Cursor,
  type FailureData,
  laneOf,
  plan,
  type Step,
  type StepEvent,
  storeOf,
} from './cursor.ts';
import { type Failure, ResultTooLarge } from './failure.ts';
import type { Store, TaskNode } from './flow.ts';
import type { EngineTx, FlowRow } from './journal.ts';
import type { Rejection } from './task.ts';

/** Bytes of JSON a task's result may have. */
const RESULT_LIMIT = 64 * 1024;

/** What a transaction needs to know of its runner. */
export interface Surroundings<Tools> {
  readonly row: FlowRow;
  readonly tools: Tools;
  owns(lane: string): boolean;
  /** Storage trouble is not the record's failure. */
  isTrouble(error: unknown): boolean;
}

export interface Extent {
  readonly cursor: Cursor;
  readonly steps: readonly Step[];
  readonly ended: boolean;
  readonly released: boolean;
}

/** The record at this place in the transaction failed before; its failure takes its place. */
export interface FailedRecord {
  readonly at: number;
  readonly failure: Failure;
}

export class RecordFailed extends Error {
  readonly at: number;
  readonly reverting: boolean;
  constructor(at: number, reverting: boolean, cause: unknown) {
    super('A record failed.', { cause });
    this.at = at;
    this.reverting = reverting;
  }
}

export async function extend<Tools, Tx extends EngineTx>(
  tx: Tx,
  from: Cursor,
  pending: readonly Step[],
  failed: FailedRecord | undefined,
  around: Surroundings<Tools>,
): Promise<Extent> {
  const steps: Step[] = [...pending];
  let cursor = pending.reduce(advance, from);
  for (;;) {
    const action = plan(cursor, declines(cursor, around.tools));
    if (action.do === 'end') return { cursor, steps, ended: true, released: false };
    if (action.do === 'parallel' || needsWorld(action))
      return { cursor, steps, ended: false, released: !around.owns(laneOf(cursor)) };
    if (action.do === 'enter') {
      cursor = { ...cursor, at: cursor.at + 1 };
      continue;
    }
    const step =
      failed?.at === steps.length
        ? inPlaceOf(action, failed.failure, cursor)
        : await act(tx, action, cursor, steps.length, around);
    steps.push(step);
    cursor = advance(cursor, step);
    if (cursor.stuck) return { cursor, steps, ended: false, released: true };
  }
}

/** Whether the span that was just reverted has had all its tries. */
export function declines<Tools>(cursor: Cursor, tools: Tools): boolean {
  const action = plan(cursor);
  return action.do === 'judge' && cursor.attempt >= action.node.options.limit(tools as never);
}

export function needsWorld(action: Action): action is Extract<Action, { do: 'execute' | 'revert' }> {
  return (action.do === 'execute' || action.do === 'revert') && !action.node.record;
}

type Inside = Exclude<Action, { do: 'end' | 'parallel' | 'enter' }>;

async function act<Tools, Tx extends EngineTx>(
  tx: Tx,
  action: Inside,
  cursor: Cursor,
  at: number,
  around: Surroundings<Tools>,
): Promise<Step> {
  const path = action.node.path;
  const store = storeOf(cursor);
  const context = { ...contextOf(cursor, around), tx };
  try {
    switch (action.do) {
      case 'choose':
        return stepOf(cursor, path, 'chosen', action.node.predicate(store as never));
      case 'lane':
        return stepOf(cursor, path, 'chosen', action.node.lane(store as never));
      case 'execute': {
        const result = await action.node.body.execute?.(inputOf(store, action.node) as never, context as never);
        return stepOf(cursor, path, 'done', fitting((result ?? null) as Json, path));
      }
      case 'revert':
        await action.node.body.revert?.(
          inputOf(store, action.node) as never,
          action.outcome as never,
          context as never,
        );
        return stepOf(cursor, path, 'reverted', null);
      case 'judge': {
        const { remember, rejected } = action.node.options;
        const rejection: Rejection = {
          attempt: cursor.attempt,
          failure: cursor.failures[0] as Failure,
          choice: remember?.(cursor.tried) ?? null,
        };
        await rejected?.(store as never, rejection, context as never);
        return stepOf(cursor, path, 'rejected', rejection as unknown as Json);
      }
    }
  } catch (error) {
    if (around.isTrouble(error)) throw error;
    throw new RecordFailed(at, action.do === 'revert', error);
  }
}

function inPlaceOf(action: Inside, failure: Failure, cursor: Cursor): Step {
  const path = action.node.path;
  const data = { failure: { ...failure, task: path }, interrupted: false };
  // A choice, a lane or a span that throws has no revert of its own.
  const event = action.do === 'revert' ? 'revert_failed' : action.do === 'execute' ? 'failed' : 'cancelled';
  return stepOf(cursor, path, event, data);
}

export function stepOf(
  cursor: Cursor,
  node: string,
  event: StepEvent,
  data: Json | FailureData,
  startedAt: Timestamp | null = null,
): Step {
  return { node, event, attempt: cursor.attempt, data: data as Json, startedAt, at: now() };
}

/** What every task is told, world or record. */
export function contextOf<Tools>(cursor: Cursor, around: Surroundings<Tools>) {
  const { attempt, rejections, failures } = cursor;
  return { flowId: around.row.id, requestId: around.row.requestId, tools: around.tools, attempt, rejections, failures };
}

export function inputOf(store: Store, node: TaskNode): Store {
  const rebound = Object.entries(node.rebind).map(([needed, name]) => [needed, store[name]]);
  return rebound.length === 0 ? store : { ...store, ...Object.fromEntries(rebound) };
}

export function fitting(data: Json, path: string): Json {
  const bytes = JSON.stringify(data)?.length ?? 0;
  if (bytes > RESULT_LIMIT)
    throw new ResultTooLarge(`${path} gave ${bytes} bytes; a result is a reference, at most ${RESULT_LIMIT} bytes.`);
  return data;
}
