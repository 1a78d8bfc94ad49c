/**
 * The part of a flow that runs in one database transaction: from a cursor on, all nodes that need no world (choices, lanes,
 * records and their reverts, the judgement of a span) up to a world task, the end, or the lane of another process.
 *
 * It may be called again for the same cursor, in another transaction: nothing here but the database may change. A record
 * that throws leaves as `RecordFailed`, so that the transaction is rolled back and made again with its failure in its
 * place, and ends there: a failure is durable before the first revert begins.
 */
import type { Timestamp } from '../lib/clock.ts';
import { carry } from './carry.ts';
import { type Action, advance, type Cursor, isLastTry, laneOf, plan } from './cursor.ts';
import { Cancelled, type Failure, failureOf } from './failure.ts';
import type { Store, TaskNode } from './flow.ts';
import type { EngineTx, FlowRow, Write } from './journal.ts';
import { type FailureData, type Step, type StepOf, stepOf } from './step.ts';
import type { Rejection } from './task.ts';

/** What a transaction needs to know of its runner. */
export interface Surroundings<Tools> {
  readonly row: Pick<FlowRow, 'id' | 'requestId' | 'projectId'>;
  readonly tools: Tools;
  owns(lane: string): boolean;
  /** Storage trouble is not the record's failure. */
  isTrouble(error: unknown): boolean;
  /** The reason, when no other try is wished. */
  cancelled(): string | undefined;
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
    const action = plan(cursor);
    if (action.do === 'end') return { cursor, steps, ended: true, released: false };
    if (action.do === 'parallel' || needsWorld(action))
      return { cursor, steps, ended: false, released: !around.owns(laneOf(cursor)) };
    const reason = action.do === 'judge' ? around.cancelled() : undefined;
    if (reason !== undefined) {
      const step = inPlaceOf(action, failureOf(new Cancelled(reason), action.node.path), cursor, around.tools);
      steps.push(step);
      cursor = advance(cursor, step);
      continue;
    }
    if (failed?.at === steps.length) {
      const step = inPlaceOf(action, failed.failure, cursor, around.tools);
      cursor = advance(cursor, step);
      return { cursor, steps: [...steps, step], ended: false, released: cursor.stuck };
    }
    const step = await act(tx, action, cursor, steps.length, around);
    steps.push(step);
    cursor = advance(cursor, step);
  }
}

/** An extent as the journal writes it. */
export function writeOf({ cursor, steps, ended, released }: Extent): Write {
  const over = cursor.reverting ? 'reverted' : 'success';
  const under = cursor.stuck ? 'stuck' : cursor.reverting ? 'reverting' : 'running';
  return { steps, state: ended ? over : under, lane: laneOf(cursor), ended, released };
}

export function needsWorld(action: Action): action is Extract<Action, { do: 'execute' | 'revert' }> {
  return (action.do === 'execute' || action.do === 'revert') && !action.node.record;
}

type Inside = Exclude<Action, { do: 'end' | 'parallel' }>;

async function act<Tools, Tx extends EngineTx>(
  tx: Tx,
  action: Inside,
  cursor: Cursor,
  at: number,
  around: Surroundings<Tools>,
): Promise<Step> {
  const path = action.node.path;
  const { store } = cursor;
  const context = { ...contextOf(cursor, around), tx };
  try {
    switch (action.do) {
      case 'choose':
        return stepOf(cursor, path, { event: 'chosen', data: action.node.predicate(store) });
      case 'lane':
        return stepOf(cursor, path, { event: 'chosen', data: action.node.lane(store) });
      case 'execute': {
        const result = (await action.node.body.execute?.(inputOf(store, action.node), context)) ?? null;
        return stepOf(cursor, path, { event: 'done', data: carry(result, path) });
      }
      case 'revert':
        await action.node.body.revert?.(inputOf(store, action.node), action.outcome, context);
        return stepOf(cursor, path, { event: 'reverted', data: null });
      case 'judge': {
        const { remember, rejected } = action.node.options;
        const rejection: Rejection = {
          attempt: cursor.attempt,
          failure: action.failure,
          choice: remember?.(cursor.tried) ?? null,
        };
        await rejected?.(store, rejection, context);
        return stepOf(cursor, path, { event: 'rejected', data: rejection });
      }
    }
  } catch (error) {
    if (around.isTrouble(error)) throw error;
    throw new RecordFailed(at, action.do === 'revert', error);
  }
}

function inPlaceOf<Tools>(action: Inside, cause: Failure, cursor: Cursor, tools: Tools): Step {
  const path = action.node.path;
  const failure = { ...cause, task: path };
  if (action.do === 'execute') return failedStep(cursor, path, { failure, interrupted: false }, tools, null);
  const data = { failure, interrupted: false };
  // A choice, a lane or a span that throws has no revert of its own.
  return stepOf(cursor, path, { event: action.do === 'revert' ? 'revert_failed' : 'cancelled', data });
}

export function failedStep<Tools>(
  cursor: Cursor,
  path: string,
  data: Pick<FailureData, 'failure' | 'interrupted'>,
  tools: Tools,
  startedAt: Timestamp | null,
): StepOf<'failed'> {
  return stepOf(cursor, path, { event: 'failed', data: { ...data, final: isLastTry(cursor, tools) } }, startedAt);
}

/** What every task is told, world or record. */
export function contextOf<Tools>(cursor: Cursor, around: Surroundings<Tools>) {
  const { attempt, rejections, failures } = cursor;
  const { id: flowId, requestId, projectId } = around.row;
  return { flowId, requestId, projectId, tools: around.tools, attempt, rejections, failures };
}

export function inputOf(store: Store, node: TaskNode): Store {
  const rebound = Object.entries(node.rebind);
  if (rebound.length === 0) return store;
  return { ...store, ...Object.fromEntries(rebound.map(([needed, name]) => [needed, store[name]])) };
}
