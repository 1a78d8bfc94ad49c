/**
 * Runs one claimed flow until it ends, leaves this process, or is fenced.
 *
 * The loop is short because the decisions are elsewhere (`cursor.ts`): ask what comes next; run a world task; write
 * what it gave *together with* everything that follows and needs no world (`transaction.ts`) in one commit; again. So a
 * flow with one world task costs two commits after the request's own.
 *
 * **Trouble with the journal** (disk full, connection lost) is not a failure of the flow: the write is tried again with
 * back-off until it succeeds or the process stops. **A failing revert** is tried again with back-off, then parks the
 * flow as *stuck*, where an operator finds it.
 */
import { elapsed, millis, now, pause } from '../lib/clock.ts';
import type { Json } from '../lib/json.ts';
import { advance, type Cursor, type FailureData, laneOf, plan, type Step, standing, storeOf } from './cursor.ts';
import type { EngineEvent } from './events.ts';
import { Cancelled, type Failure, Fenced, failureOf, Interrupted, TaskTimeout } from './failure.ts';
import type { Node, TaskNode } from './flow.ts';
import type { Claimed, Doing, EngineTx, FlowRow, Journal, Wish, Write } from './journal.ts';
import type { Outcome, Rejection, RetryPolicy } from './task.ts';
import {
  contextOf,
  declines,
  type Extent,
  extend,
  type FailedRecord,
  fitting,
  inputOf,
  needsWorld,
  RecordFailed,
  type Surroundings,
  stepOf,
} from './transaction.ts';

export interface RunnerOptions<Tools, Tx extends EngineTx> {
  readonly journal: Journal<Tx>;
  readonly tools: Tools;
  /** May this process run the lane? */
  owns(lane: string): boolean;
  emit(event: EngineEvent): void;
  readonly revertRetry: RetryPolicy;
  /** Milliseconds between two tries of a journal write. */
  readonly troubleBackoffMs: number;
  /** A world task that runs longer says so in the database, this often. */
  readonly doingIntervalMs: number;
}

/** How the process came to the flow. */
export interface Origin {
  /** A former owner may have begun the task at the cursor. */
  readonly recovered: boolean;
  /** Its owners died again and again without progress. */
  readonly poisoned: boolean;
}

type Emitted = EngineEvent extends infer E
  ? E extends EngineEvent
    ? Omit<E, 'flowId' | 'flow' | 'resource' | 'requestId'>
    : never
  : never;

export class Runner<Tools, Tx extends EngineTx> {
  readonly #row: FlowRow;
  readonly #options: RunnerOptions<Tools, Tx>;
  readonly #around: Surroundings<Tools>;
  readonly #begun = elapsed();
  /** Ends everything this runner waits for: the process stops. */
  readonly #stop: AbortSignal;
  /** Aborted by a wish or by a sibling's failure. */
  #task = new AbortController();
  #cursor: Cursor;
  #seq: number;
  #wish: { readonly wish: Wish; readonly reason: string } | null;
  #inherited: boolean;
  readonly #poisoned: boolean;

  constructor(row: FlowRow, cursor: Cursor, options: RunnerOptions<Tools, Tx>, stop: AbortSignal, origin: Origin) {
    this.#row = row;
    this.#cursor = cursor;
    this.#seq = row.seq;
    this.#options = options;
    this.#around = {
      row,
      tools: options.tools,
      owns: options.owns,
      isTrouble: (error) => options.journal.isTrouble(error),
    };
    this.#stop = stop;
    this.#wish = row.wish === null ? null : { wish: row.wish, reason: row.wishReason ?? '' };
    this.#inherited = origin.recovered;
    this.#poisoned = origin.poisoned;
  }

  /** An operator or a user wants something of the flow, now. Saying it twice changes nothing. */
  wish(wish: Wish, reason: string): void {
    this.#wish = { wish, reason };
    if (!this.#cursor.reverting && this.#heeds(this.#cursor)) this.#task.abort(new Cancelled(reason));
  }

  async run(): Promise<void> {
    this.#emit({ is: 'flow-started', recovered: this.#inherited });
    let pending: readonly Step[] = [];
    for (;;) {
      const turn = this.#turnBack(pending.reduce(advance, this.#cursor));
      if (turn !== undefined) pending = [...pending, turn];
      const cursor = pending.reduce(advance, this.#cursor);
      const action = plan(cursor, declines(cursor, this.#options.tools));
      if ((action.do === 'parallel' || needsWorld(action)) && this.#options.owns(laneOf(cursor))) {
        if (pending.length > 0) await this.#append(pending);
        if (action.do === 'parallel') pending = await this.#executeAll(action.node.branches);
        else if (action.do === 'execute') pending = [await this.#execute(action.node)];
        else {
          const step = await this.#revert(action.node, action.outcome);
          if (step.event === 'revert_failed') return await this.#park(step);
          pending = [step];
        }
      } else {
        const { cursor: after, ended, released } = await this.#commit(pending);
        if (ended || released || after.stuck) return;
        pending = [];
      }
      this.#inherited = false;
    }
  }

  /** A cancel, a poisoned flow or a task that must not run twice, seen at a boundary. */
  #turnBack(cursor: Cursor): Step | undefined {
    if (cursor.reverting) return undefined;
    const node = standing(cursor);
    const path = node?.path ?? 'end';
    const interrupted = this.#inherited && (node?.kind === 'parallel' || (node?.kind === 'task' && !node.record));
    const back = (error: Error): Step =>
      stepOf(cursor, path, 'cancelled', { failure: failureOf(error, path), interrupted });
    if (this.#inherited && this.#poisoned) return back(this.#died());
    if (this.#wish !== null && node !== undefined && this.#heeds(cursor)) return back(new Cancelled(this.#wish.reason));
    if (interrupted && node?.kind === 'task' && node.body.onInterrupt === 'revert')
      return back(new Interrupted('The process died while it ran.'));
    return undefined;
  }

  /** Once something is destroyed there is no way back; while it is being destroyed, only for an operator. */
  #heeds(cursor: Cursor): boolean {
    const destroys = (node: Node | undefined): boolean => node?.kind === 'task' && node.body.forwardOnly;
    if (this.#wish === null || this.#wish.wish === 'resume') return false;
    if (cursor.started.some(({ node, outcome }) => destroys(node) && outcome.is === 'done')) return false;
    return this.#wish.wish === 'revert' || !destroys(standing(cursor));
  }

  async #execute(node: TaskNode): Promise<Step> {
    const startedAt = now();
    this.#emit({ is: 'task-started', task: node.path, reverting: false });
    const input = inputOf(storeOf(this.#cursor), node);
    const result = await this.#tried(node.body.retry, node, async (context) =>
      fitting(((await node.body.execute?.(input as never, context as never)) ?? null) as Json, node.path),
    );
    if (result instanceof GivenUp)
      return stepOf(this.#cursor, node.path, 'failed', { failure: result.failure, interrupted: false }, startedAt);
    return stepOf(this.#cursor, node.path, 'done', result, startedAt);
  }

  /** Waits for all, so that nothing runs unseen when the reverts begin. What was done is journaled before what failed. */
  async #executeAll(nodes: readonly TaskNode[]): Promise<readonly Step[]> {
    const steps = await Promise.all(
      nodes.map(async (node) => {
        const step = await this.#execute(node);
        if (step.event === 'failed') this.#task.abort(new Cancelled(`${node.path} failed beside it.`));
        return step;
      }),
    );
    return [...steps.filter(({ event }) => event === 'done'), ...steps.filter(({ event }) => event !== 'done')];
  }

  async #revert(node: TaskNode, outcome: Outcome<Json>): Promise<Step> {
    const startedAt = now();
    const failed = (failure: Failure): Step =>
      stepOf(this.#cursor, node.path, 'revert_failed', { failure, interrupted: false }, startedAt);
    // A revert that kills its process each time must not be begun for ever.
    if (this.#inherited && this.#poisoned) return failed(failureOf(this.#died(), node.path));
    this.#emit({ is: 'task-started', task: node.path, reverting: true });
    const input = inputOf(storeOf(this.#cursor), node);
    this.#task = new AbortController();
    const result = await this.#tried(this.#options.revertRetry, node, async (context) => {
      await node.body.revert?.(input as never, outcome as never, context as never);
      return null;
    });
    return result instanceof GivenUp
      ? failed(result.failure)
      : stepOf(this.#cursor, node.path, 'reverted', null, startedAt);
  }

  /** One world call, tried as its policy says, each time under its deadline. */
  async #tried(policy: RetryPolicy, node: TaskNode, call: (context: object) => Promise<Json>): Promise<Json | GivenUp> {
    const watch = this.#watch(node);
    try {
      for (
        let tries = 1, backoffMs = policy.backoffMs ?? 250;
        ;
        tries += 1, backoffMs = Math.min(backoffMs * 2, policy.maxBackoffMs ?? 60_000)
      ) {
        const deadline = new AbortController();
        const signal = AbortSignal.any([this.#stop, this.#task.signal, deadline.signal]);
        const timer = Number.isFinite(node.body.timeoutMs)
          ? setTimeout(
              () => deadline.abort(new TaskTimeout(`${node.path} took longer than ${node.body.timeoutMs} ms.`)),
              node.body.timeoutMs,
            )
          : undefined;
        try {
          return await call({ ...contextOf(this.#cursor, this.#around), signal, progress: watch.progress });
        } catch (error) {
          this.#stop.throwIfAborted();
          const failure = failureOf(signal.aborted ? signal.reason : error, node.path);
          const worth = policy.when?.(failure) ?? failure.transient;
          if (tries >= policy.tries || this.#task.signal.aborted || !worth) return new GivenUp(failure);
          await this.#tellRetry(node, failure, tries);
          await pause(backoffMs, AbortSignal.any([this.#stop, this.#task.signal])).catch(() =>
            this.#stop.throwIfAborted(),
          );
        } finally {
          clearTimeout(timer);
        }
      }
    } finally {
      watch.end();
    }
  }

  /** The first tries tell the story; later ones only that it goes on, so the journal stays small. */
  async #tellRetry(node: TaskNode, failure: Failure, tries: number): Promise<void> {
    this.#emit({ is: 'task-retried', task: node.path, failure, tries });
    if ((tries & (tries - 1)) === 0)
      await this.#append([
        stepOf(this.#cursor, node.path, 'retried', { failure: { ...failure }, tries } as unknown as Json),
      ]);
  }

  /** Progress for listeners, ten times a second at most; and for other processes, only of what takes long. */
  #watch(node: TaskNode) {
    let doing: Doing = { node: node.path, since: now(), progress: null };
    let emitted = Number.NEGATIVE_INFINITY;
    let noted = false;
    const note = (what: Doing | null): void => {
      noted = what !== null;
      this.#options.journal
        .doing(this.#row.id, what)
        .catch((error: unknown) => this.#emit({ is: 'journal-trouble', error }));
    };
    const timer = setInterval(() => note(doing), this.#options.doingIntervalMs).unref();
    return {
      progress: (fraction: number): void => {
        doing = { ...doing, progress: fraction };
        if (elapsed() - emitted < 100 && fraction < 1) return;
        emitted = elapsed();
        this.#emit({ is: 'task-progress', task: node.path, fraction });
      },
      end: (): void => {
        clearInterval(timer);
        if (noted) note(null);
      },
    };
  }

  /** Steps that need no transaction of ours: they share a commit with all flows that write in this turn. */
  async #append(steps: readonly Step[]): Promise<void> {
    const extent = { cursor: steps.reduce(advance, this.#cursor), steps, ended: false, released: false };
    await this.#durably(() => this.#options.journal.append(this.#claimed(), writeOf(extent)));
    this.#settle(extent);
  }

  /** The pending steps and all that follow without the world, in one commit. */
  async #commit(pending: readonly Step[]): Promise<Extent> {
    const cursor = pending.reduce(advance, this.#cursor);
    if (plan(cursor, declines(cursor, this.#options.tools)).do === 'end') {
      const extent = { cursor, steps: pending, ended: true, released: false };
      await this.#durably(() => this.#options.journal.append(this.#claimed(), writeOf(extent)));
      return this.#settle(extent);
    }
    let failed: FailedRecord | undefined;
    for (let tries = 1; ; tries += 1) {
      try {
        return this.#settle(await this.#transact(pending, failed));
      } catch (error) {
        if (!(error instanceof RecordFailed)) throw error;
        const again = error.reverting && tries < this.#options.revertRetry.tries;
        if (again) await pause((this.#options.revertRetry.backoffMs ?? 250) * tries, this.#stop);
        else failed = { at: error.at, failure: failureOf(error.cause, '') };
      }
    }
  }

  async #transact(pending: readonly Step[], failed: FailedRecord | undefined): Promise<Extent> {
    let extent: Extent | undefined;
    await this.#durably(() =>
      this.#options.journal.transact(this.#claimed(), async (tx) => {
        extent = await extend(tx, this.#cursor, pending, failed, this.#around);
        return writeOf(extent);
      }),
    );
    return extent as unknown as Extent;
  }

  async #park(step: Step): Promise<void> {
    const extent = { cursor: advance(this.#cursor, step), steps: [step], ended: false, released: true };
    await this.#durably(() => this.#options.journal.append(this.#claimed(), writeOf(extent)));
    this.#settle(extent);
  }

  /** Storage trouble passes or the process stops; meanwhile nothing is done twice and nothing is given up. */
  async #durably(write: () => Promise<void>): Promise<void> {
    for (let backoffMs = this.#options.troubleBackoffMs; ; backoffMs = Math.min(backoffMs * 2, 10_000)) {
      try {
        return await write();
      } catch (error) {
        this.#stop.throwIfAborted();
        if (error instanceof Fenced) this.#emit({ is: 'flow-fenced' });
        if (!this.#options.journal.isTrouble(error)) throw error;
        this.#emit({ is: 'journal-trouble', error });
        await pause(backoffMs, this.#stop);
      }
    }
  }

  /** What is durable now becomes where we stand, and is told. */
  #settle(extent: Extent): Extent {
    const { cursor, steps, ended, released } = extent;
    this.#cursor = cursor;
    this.#seq += steps.length;
    for (const { node, event, data, startedAt, at } of steps) {
      const failure = (data as unknown as Partial<FailureData> | null)?.failure;
      if (event === 'done')
        this.#emit({
          is: 'task-done',
          task: node,
          ms: startedAt === null ? null : millis(at) - millis(startedAt),
          result: data,
        });
      if ((event === 'failed' || event === 'cancelled') && failure)
        this.#emit({ is: 'task-failed', task: node, failure });
      if (event === 'reverted') this.#emit({ is: 'task-reverted', task: node });
      if (event === 'revert_failed' && failure) this.#emit({ is: 'flow-stuck', task: node, failure });
      if (event === 'rejected') this.#emit({ is: 'attempt-rejected', rejection: data as unknown as Rejection });
    }
    const state = cursor.reverting ? 'reverted' : 'success';
    if (ended) this.#emit({ is: 'flow-ended', state, failures: cursor.failures, ms: elapsed() - this.#begun });
    else if (released && !cursor.stuck) this.#emit({ is: 'flow-released', lane: laneOf(cursor) });
    return extent;
  }

  #claimed(): Claimed {
    return { id: this.#row.id, epoch: this.#row.epoch, seq: this.#seq };
  }

  #died(): Interrupted {
    return new Interrupted(`Its process died ${this.#row.claims} times without progress.`);
  }

  #emit(event: Emitted): void {
    const { id, name, resource, requestId } = this.#row;
    this.#options.emit({ ...event, flowId: id, flow: name, resource, requestId } as EngineEvent);
  }
}

/** The tries are used up, or no other is worth it. */
class GivenUp {
  readonly failure: Failure;
  constructor(failure: Failure) {
    this.failure = failure;
  }
}

function writeOf({ cursor, steps, ended, released }: Extent): Write {
  const over = cursor.reverting ? 'reverted' : 'success';
  const under = cursor.stuck ? 'stuck' : cursor.reverting ? 'reverting' : 'running';
  return { steps, state: ended ? over : under, lane: laneOf(cursor), ended, released };
}
