/**
 * Failures: errors as small values of JSON, journaled before the first revert runs; and the errors of the engine itself.
 *
 * A failure says itself whether it is worth a retry (S90): an error is `transient` (here), `elsewhere` (with another choice), or
 * final when it says neither. One that is `unanswered` says nothing of the work: it may be done, or be done yet, so that whoever asked
 * asks again until there is an answer, also where for the time being he cannot (`unasked`).
 */
import { now, type Timestamp } from '../lib/clock.ts';

export interface Failure {
  /** Path of the task in its flow. */
  readonly task: string;
  /** The flow was turned back before the task, which has not begun. */
  readonly before?: true;
  /** The error's name: `BackendFull`. */
  readonly name: string;
  readonly message: string;
  /** The chain of causes as text, so that it can be kept (S32). */
  readonly trace: string;
  readonly at: Timestamp;
  /** The same task may succeed later. */
  readonly transient: boolean;
  /** The span of tasks may succeed with another choice. */
  readonly elsewhere: boolean;
  /** What was asked may be done, or be done yet: there was no answer. */
  readonly unanswered?: true;
  /** Nothing was asked: nobody was there. */
  readonly unasked?: true;
}

/** All failures of a flow so far, the first one first. */
export type FlowFailures = readonly [Failure, ...Failure[]];

/** A flow was told to stop, or a task because one beside it failed. Reverts run. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
  /** The failure beside it said so. */
  readonly elsewhere: boolean;
  constructor(message: string, { elsewhere = false } = {}) {
    super(message);
    this.elsewhere = elsewhere;
  }
}

/** A task took longer than it may. */
export class TaskTimeout extends Error {
  override readonly name = 'TaskTimeout';
}

/** The process died inside a task that must not run twice. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** Its processes died again and again while it stood at the same node. */
export class Poisonous extends Error {
  override readonly name = 'Poisonous';
}

/** More than the journal carries: results are references and small facts. */
export class ResultTooLarge extends Error {
  override readonly name = 'ResultTooLarge';
}

/** A value that would not come back from the journal as it is. */
export class NotJson extends Error {
  override readonly name = 'NotJson';
}

/** Another process owns the flow now; this one must not write or do anything more for it. */
export class Fenced extends Error {
  override readonly name = 'Fenced';
}

const TRACE_LIMIT = 4_000;
const MESSAGE_LIMIT = 1_000;

export function failureOf(error: unknown, task: string): Failure {
  const given = error as { transient?: unknown; elsewhere?: unknown; unanswered?: unknown; unasked?: unknown } | null;
  const flags = typeof given === 'object' ? given : null;
  return {
    task,
    name: error instanceof Error ? error.name : 'Error',
    message: (error instanceof Error ? error.message : String(error)).slice(0, MESSAGE_LIMIT),
    trace: traceOf(error).slice(0, TRACE_LIMIT),
    at: now(),
    transient: flags?.transient === true,
    elsewhere: flags?.elsewhere === true,
    ...(flags?.unanswered === true && { unanswered: true }),
    ...(flags?.unasked === true && { unasked: true }),
  };
}

function traceOf(error: unknown): string {
  const lines: string[] = [];
  for (let each = error; each !== undefined && each !== null && lines.length < 8; each = (each as Error).cause) {
    lines.push(each instanceof Error ? (each.stack ?? `${each.name}: ${each.message}`) : String(each));
  }
  return lines.join('\ncaused by ');
}
