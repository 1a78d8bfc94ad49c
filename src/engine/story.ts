/**
 * The story of a flow (its audit trail): what it did, what it does and since when, why it is not done, and what comes next.
 *
 * The two functions that run a flow (`cursor.ts`) read it from the journal, so a program that runs no flow itself tells what
 * will happen, too.
 */
import { millis, type Timestamp } from '../lib/clock.ts';
import type { Json } from '../lib/json.ts';
import { type Cursor, plan, standing } from './cursor.ts';
import type { Failure } from './failure.ts';
import type { AnyFlow, Node } from './flow.ts';
import { type Copying, type FlowRow, WAITING_LANE, type Waiting } from './journal.ts';
import type { Step, StepEvent } from './step.ts';
import type { TaskResult } from './task.ts';
import { Registry, resume, UnknownFlow } from './upgrade.ts';

export interface Story {
  readonly flow: FlowRow;
  readonly steps: readonly ToldStep[];
  /** Null when it has ended, or when this code does not know the flow. */
  readonly now: Doing | null;
  /** The tasks to come if all goes well from here, or the reverts. */
  readonly next: readonly Coming[];
}

export interface ToldStep {
  readonly node: string;
  readonly event: StepEvent;
  readonly attempt: number;
  readonly startedAt: Timestamp | null;
  readonly at: Timestamp;
  /** How long a world task took; null for what shares a commit. */
  readonly ms: number | null;
  readonly failure: Failure | null;
  /** Of a rejected attempt: what it had chosen. Of `chosen`: the answer. */
  readonly choice: Json;
  /** Of `done`. */
  readonly result: TaskResult;
  /** Of `retried`: how often it had been tried. */
  readonly tries: number | null;
  /** Of `abandoned`: what the operator said. */
  readonly reason: string | null;
}

interface Doing {
  readonly node: string;
  readonly reverting: boolean;
  readonly since: Timestamp;
  readonly progress: number | null;
  readonly copying: Copying | null;
  /** What it says itself that it waits for. */
  readonly waiting: Waiting | null;
  /** What it waits for, when nothing runs. */
  readonly waitsFor: 'a process' | 'an operator' | 'other flows' | null;
}

interface Coming {
  readonly node: string;
  /** Only if a choice that is still open says so. */
  readonly maybe: boolean;
}

export function tellStory(flows: readonly AnyFlow[], flow: FlowRow, steps: readonly Step[]): Story {
  const told = steps.map(tellStep);
  if (flow.endedAt !== null) return { flow, steps: told, now: null, next: [] };
  const cursor = cursorOf(flows, flow, steps);
  if (cursor === undefined) return { flow, steps: told, now: null, next: [] };
  const node = current(cursor);
  const since = told.at(-1)?.at ?? flow.createdAt;
  const { doing } = flow;
  return {
    flow,
    steps: told,
    now: {
      node,
      reverting: cursor.reverting,
      since: doing?.node === node ? doing.since : since,
      progress: doing?.node === node ? doing.progress : null,
      copying: (doing?.node === node && doing.copying) || null,
      waiting: (doing?.node === node && doing.waiting) || null,
      waitsFor: waitsFor(flow),
    },
    next: cursor.reverting ? revertsAfter(cursor, node) : tasksAfter(cursor),
  };
}

function waitsFor({ state, lane, owner }: FlowRow): Doing['waitsFor'] {
  if (state === 'stuck') return 'an operator';
  if (lane === WAITING_LANE) return 'other flows';
  return owner === null ? 'a process' : null;
}

function cursorOf(flows: readonly AnyFlow[], flow: FlowRow, steps: readonly Step[]): Cursor | undefined {
  try {
    return resume(new Registry(flows), flow, steps);
  } catch (error) {
    if (error instanceof UnknownFlow) return undefined;
    throw error;
  }
}

function tellStep(step: Step): ToldStep {
  const { node, event, attempt, startedAt, at } = step;
  const ms = startedAt === null ? null : millis(at) - millis(startedAt);
  const told = {
    node,
    event,
    attempt,
    startedAt,
    at,
    ms,
    result: null,
    failure: null,
    choice: null,
    tries: null,
    reason: null,
  };
  switch (step.event) {
    case 'done':
      return { ...told, result: step.data };
    case 'chosen':
      return { ...told, choice: step.data };
    case 'rejected':
      return { ...told, failure: step.data.failure, choice: step.data.choice };
    case 'failed':
    case 'cancelled':
    case 'revert_failed':
      return { ...told, failure: step.data.failure };
    case 'retried':
      return { ...told, failure: step.data.failure, tries: step.data.tries };
    case 'abandoned':
      return { ...told, reason: step.data.reason };
    case 'reverted':
    case 'interrupted':
      return told;
  }
}

function current(cursor: Cursor): string {
  const action = plan(cursor);
  return action.do === 'end' ? 'end' : action.node.path;
}

function tasksAfter(cursor: Cursor): Coming[] {
  const { nodes } = cursor.flow;
  const at = standing(cursor);
  let open = 0;
  return nodes.slice(at === undefined ? nodes.length : nodes.indexOf(at)).flatMap((node, index) => {
    const place = index + (at === undefined ? 0 : nodes.indexOf(at));
    if (node.kind === 'when') open = Math.max(open, node.skipTo);
    return node === at ? [] : names(node).map((name) => ({ node: name, maybe: place < open }));
  });
}

function revertsAfter({ started }: Cursor, node: string): Coming[] {
  return started
    .toReversed()
    .filter((each) => each.node.kind === 'task' && each.node.body.revert !== undefined && each.node.path !== node)
    .map((each) => ({ node: each.node.path, maybe: false }));
}

const names = (node: Node): string[] =>
  node.kind === 'task' ? [node.path] : node.kind === 'parallel' ? node.branches.map(({ path }) => path) : [];
