/**
 * A step of a flow's journal, append-only: the event that happened to a node, and what is kept of it.
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
 * | retried | task | failure, tries | for people: it failed and is tried again in place |
 * | interrupted | task | `reverting` | for people: the process that ran it, or was about to, died or stopped; another has taken it up |
 *
 * Later versions read the journals of earlier ones, so the shapes below may gain optional members and lose none.
 */
import { now, type Timestamp } from '../lib/clock.ts';
import type { Failure } from './failure.ts';
import type { Rejection, TaskResult } from './task.ts';

/** What happened, and what is kept of it. */
export type StepContent =
  | { readonly event: 'done'; readonly data: TaskResult }
  | { readonly event: 'failed'; readonly data: FailureData }
  | { readonly event: 'chosen'; readonly data: boolean | string }
  | { readonly event: 'cancelled'; readonly data: FailureData }
  | { readonly event: 'reverted'; readonly data: null }
  | { readonly event: 'revert_failed'; readonly data: FailureData }
  | { readonly event: 'abandoned'; readonly data: { readonly reason: string } }
  | { readonly event: 'rejected'; readonly data: Rejection }
  | { readonly event: 'retried'; readonly data: { readonly failure: Failure; readonly tries: number } }
  | { readonly event: 'interrupted'; readonly data: { readonly reverting: boolean } };

export type StepEvent = StepContent['event'];

export interface FailureData {
  readonly failure: Failure;
  /** The process died inside the task, or an earlier one did: what it has done is not known. */
  readonly interrupted: boolean;
  /** The span it stands in has had all its tries. Decided once, before anything is reverted. */
  readonly final?: boolean;
}

interface StepPlace {
  /** Path of the node in its flow. */
  readonly node: string;
  /** From 1; which try of the span. */
  readonly attempt: number;
  /** When a world task, or the revert of one, began; null for what shares a commit, and for an interrupted one of which nobody knows. */
  readonly startedAt: Timestamp | null;
  readonly at: Timestamp;
}

export type Step = StepPlace & StepContent;
export type StepOf<E extends StepEvent> = Extract<Step, { readonly event: E }>;

/** A step as a database keeps it. */
export interface StoredStep extends StepPlace {
  readonly event: string;
  /** JSON, or null for null. */
  readonly data: string | null;
}

/** A step that happens now. */
export function stepOf<C extends StepContent>(
  { attempt }: { readonly attempt: number },
  node: string,
  content: C,
  startedAt: Timestamp | null = null,
): StepPlace & C {
  const place: StepPlace = { node, attempt, startedAt, at: now() };
  return { ...content, ...place };
}

/** A step read back. What is stored was written by `storedData` of this version or an earlier one, and is taken at its word. */
export function parseStep({ data, ...step }: StoredStep): Step {
  return { ...step, data: data === null ? null : JSON.parse(data) } as Step;
}

/** What a database keeps as a step's data. */
export const storedData = ({ data }: Step): string | null => (data === null ? null : JSON.stringify(data));

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
  interrupted: false,
};

export const isProgress = (steps: readonly Step[]): boolean => steps.some(({ event }) => ENDS_NODE[event]);
