/**
 * The calls of world tasks that one flow has in flight: one of a task or of a revert, or those of a parallel node. Each is
 * retried with back-off as its policy says, under its time-out, until it succeeds, is given up, or is cancelled.
 *
 * Silence is no failure. Where something was asked, or is to be undone, and nobody answers, or is there to be asked again, it is asked until
 * somebody does, and those tries count for nothing.
 *
 * Cancellation is cooperative: a call is told by its signal and never torn away, stops its own work in the world, and the flow
 * waits for it.
 */
import { millis, now, pause, type Timestamp } from '../lib/clock.ts';
import type { Copied, Wait } from '../lib/progress.ts';
import { Call } from './call.ts';
import { type Failure, failureOf, TaskTimeout } from './failure.ts';
import type { TaskNode } from './flow.ts';
import { ANOTHER_TRY, type Doing } from './journal.ts';
import type { RetryPolicy, TaskResult } from './task.ts';

/** What the work asks and tells of its flow. */
interface Surrounding {
  /** What a task is told besides its signal. */
  context(): object;
  progress(task: string, fraction: number, copied: Copied | undefined): void;
  retried(node: TaskNode, failure: Failure, tries: number): Promise<void>;
  aside<Result>(wait: Promise<Result>): Promise<Result>;
  /** For people and other processes. */
  doing(doing: Doing | null): void;
}

/** A task; one that a former owner may have begun, to whom nobody has told an answer; or the revert of one that has begun. */
type Tried = 'task' | 'inherited task' | 'revert';

/** Between two questions whether somebody answers by now. */
const MOST_SILENT_MS = 2_000;

/** The tries are used up, or no other is worth it. */
export class GivenUp {
  readonly failure: Failure;
  constructor(failure: Failure) {
    this.failure = failure;
  }
}

export class Work {
  /** The process stops. */
  readonly #stop: AbortSignal;
  readonly #around: Surrounding;
  readonly #calls = new Set<Call>();
  /** What is asked again until there is an answer, and how nobody answered. */
  readonly #silences = new Map<TaskNode, Failure>();
  /** Why what runs must end: a wish, or the end of what is beside it. */
  #ending: { readonly reason: unknown } | undefined;
  /** What was last said in the database. */
  #noted: Doing | null = null;

  constructor(stop: AbortSignal, around: Surrounding) {
    this.#stop = stop;
    this.#around = around;
  }

  /** Something runs, or waits to be tried again. */
  get begun(): boolean {
    return this.#calls.size > 0;
  }

  get ending(): boolean {
    return this.#ending !== undefined;
  }

  /** It waits for somebody who does not answer. */
  get silent(): boolean {
    return this.#silences.size > 0;
  }

  /** What was told to end has ended; what comes next is not told. */
  renew(): void {
    this.#ending = undefined;
  }

  /** What runs is told, and is not tried again. The first reason counts. */
  end(reason: unknown): void {
    this.#ending ??= { reason };
    for (const call of this.#calls) call.abort(reason);
  }

  interrupt(): void {
    for (const call of this.#calls) call.abort(this.#stop.reason);
  }

  /** Says what has run for longer than `afterMs`, unless that is said already. */
  note(afterMs: number): void {
    const [first] = this.#calls;
    const doing = first !== undefined && millis(now()) - millis(first.doing.since) >= afterMs ? first.doing : null;
    if (doing?.node !== this.#noted?.node || isFurther(doing, this.#noted)) this.#say(doing);
  }

  async tried(
    policy: RetryPolicy,
    node: TaskNode,
    since: Timestamp,
    work: (context: object) => Promise<TaskResult>,
    tried: Tried = 'task',
  ): Promise<TaskResult | GivenUp> {
    let open = tried !== 'task';
    let failures = 0;
    try {
      for (let tries = 1, backoffMs = policy.backoffMs ?? 250; ; tries += 1) {
        let failed: Failure;
        const call = this.#call(node, since);
        const timer = Number.isFinite(node.body.timeoutMs)
          ? setTimeout(
              () => call.abort(new TaskTimeout(`${node.path} took longer than ${node.body.timeoutMs} ms.`)),
              node.body.timeoutMs,
            )
          : undefined;
        try {
          return await work(this.#contextOf(call, node));
        } catch (error) {
          this.#stop.throwIfAborted();
          failed = failureOf(call.aborted === undefined ? error : call.aborted.reason, node.path);
          open ||= failed.unanswered === true;
          const silent = open && (failed.unanswered || failed.unasked) === true;
          if (silent) this.#silences.set(node, failed.unanswered ? failed : (this.#silences.get(node) ?? failed));
          else if (!this.ending) this.#silences.delete(node);
          failures += silent ? 0 : 1;
          const worth = silent || (policy.when?.(failed) ?? failed.transient);
          if (this.ending || !worth || failures >= policy.tries) return this.#givenUp(node, failed, tried);
          if (silent) backoffMs = Math.min(backoffMs, MOST_SILENT_MS);
          await this.#around.retried(node, failed, tries);
        } finally {
          clearTimeout(timer);
          this.#calls.delete(call);
          if (this.#noted?.node === node.path) this.#say(null);
        }
        const ending = await this.#rest(node, since, backoffMs, failed);
        if (ending !== undefined) return this.#givenUp(node, failureOf(ending.reason, node.path), tried);
        backoffMs = Math.min(backoffMs * 2, policy.maxBackoffMs ?? 60_000);
      }
    } finally {
      this.#silences.delete(node);
    }
  }

  /** A revert that was told to wait no more has failed for want of an answer. */
  #givenUp(node: TaskNode, failed: Failure, tried: Tried): GivenUp {
    return new GivenUp((tried === 'revert' && this.#silences.get(node)) || failed);
  }

  /** The pause before another try; ends early, and says why, when the task is to end. */
  async #rest(
    node: TaskNode,
    since: Timestamp,
    ms: number,
    { message }: Failure,
  ): Promise<{ readonly reason: unknown } | undefined> {
    const resting = this.#call(node, since);
    resting.waits({ what: ANOTHER_TRY, why: message });
    await pause(ms, resting.signal).catch(() => {});
    this.#calls.delete(resting);
    this.#stop.throwIfAborted();
    return resting.aborted;
  }

  #call(node: TaskNode, since: Timestamp): Call {
    const call = new Call({ node: node.path, since, progress: null });
    this.#calls.add(call);
    if (this.#ending !== undefined) call.abort(this.#ending.reason);
    if (this.#stop.aborted) call.abort(this.#stop.reason);
    return call;
  }

  #contextOf(call: Call, node: TaskNode): object {
    return {
      ...this.#around.context(),
      get signal(): AbortSignal {
        return call.signal;
      },
      progress: (fraction: number, copied?: Copied): void => {
        if (call.tells(fraction, copied)) this.#around.progress(node.path, fraction, copied);
      },
      waiting: (wait: Wait | null): void => call.waits(wait),
      aside: this.#around.aside,
    };
  }

  #say(doing: Doing | null): void {
    this.#noted = doing;
    this.#around.doing(doing);
  }
}

const isFurther = (doing: Doing | null, before: Doing | null): boolean =>
  doing?.progress !== before?.progress ||
  doing?.copying?.at !== before?.copying?.at ||
  doing?.waiting?.since !== before?.waiting?.since ||
  doing?.waiting?.why !== before?.waiting?.why;
