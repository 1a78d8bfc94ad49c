/**
 * The engine's events, for logs, metrics, progress bars and tests. They may be lost and decide nothing; the journal has what
 * must not be lost.
 */
import type { Copied } from '../lib/progress.ts';
import type { Failure } from './failure.ts';
import type { Rejection, TaskResult } from './task.ts';

interface OfFlow {
  readonly flowId: string;
  readonly flow: string;
  readonly resource: string;
  readonly requestId: string;
  /** As `FlowRow.trace`. */
  readonly trace?: string | null;
}

export type EngineEvent = OfFlow &
  /** `claims`: so many of its processes have died since a node of it last ended. */
  (
    | { readonly is: 'flow-started'; readonly recovered: boolean; readonly claims: number }
    /** It is taken back for it; when it reverts already, it is stuck. */
    | { readonly is: 'flow-poisonous'; readonly task: string; readonly claims: number }
    | { readonly is: 'task-started'; readonly task: string; readonly reverting: boolean }
    | {
        readonly is: 'task-progress';
        readonly task: string;
        readonly fraction: number;
        readonly copied: Copied | undefined;
      }
    /** Its journal entry is durable. `ms` is null for records, which share a commit. */
    | { readonly is: 'task-done'; readonly task: string; readonly ms: number | null; readonly result: TaskResult }
    | { readonly is: 'task-failed'; readonly task: string; readonly failure: Failure }
    | { readonly is: 'task-retried'; readonly task: string; readonly failure: Failure; readonly tries: number }
    | { readonly is: 'task-reverted'; readonly task: string }
    | { readonly is: 'attempt-rejected'; readonly rejection: Rejection }
    | { readonly is: 'flow-released'; readonly lane: string }
    | { readonly is: 'flow-stuck'; readonly task: string; readonly failure: Failure }
    | { readonly is: 'flow-fenced' }
    /** With an empty `flowId` it is the engine's own: the `queue` cannot be read, or `old flows` not be forgotten. */
    | { readonly is: 'journal-trouble'; readonly error: unknown }
    /** The engine's own is done again. */
    | { readonly is: 'journal-works' }
    | {
        readonly is: 'flow-ended';
        readonly state: 'success' | 'reverted';
        readonly failures: readonly Failure[];
        /** Since it began, whichever processes have run it. */
        readonly ms: number;
      }
  );

export type EngineListener = (event: EngineEvent) => void;
