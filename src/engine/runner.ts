/**
 * Runs one claimed flow until it ends, leaves this process, or is fenced.
 *
 * The loop is short because the decisions are elsewhere (`cursor.ts`): ask what comes next; run a world task; write
 * what it gave *together with* everything that follows and needs no world (`transaction.ts`) in one commit; again. So a
 * flow with one world task costs two commits, the request's own among them: what comes before it stands in that one (`engine.ts`).
 *
 * **Trouble with the journal** (disk full, connection lost) is not a failure of the flow: the write is tried again with
 * back-off until it succeeds or the process stops. **A failing revert** is tried again with back-off, then parks the
 * flow as *stuck*, where an operator finds it; one that nobody answers waits, until an operator wishes the flow reverted all the same.
 */
import { millis, now, pause, type Timestamp } from '../lib/clock.ts';
import { carry } from './carry.ts';
import { advance, type Cursor, laneOf, plan, standing } from './cursor.ts';
import type { EngineEvent } from './events.ts';
import { Cancelled, type Failure, Fenced, failureOf, Interrupted, Poisonous } from './failure.ts';
import type { Node, TaskNode } from './flow.ts';
import type { Claimed, Doing, EngineTx, FlowRow, Journal, Wish, Write } from './journal.ts';
import { isProgress, type Step, type StepOf, stepOf } from './step.ts';
import type { Outcome, RetryPolicy, TaskResult } from './task.ts';
import {
  contextOf,
  type Extent,
  extend,
  type FailedRecord,
  failedStep,
  inputOf,
  needsWorld,
  RecordFailed,
  type Surroundings,
  writeOf,
} from './transaction.ts';
import { GivenUp, Work } from './work.ts';

export interface RunnerOptions<Tools, Tx extends EngineTx> {
  readonly journal: Journal<Tx>;
  readonly tools: Tools;
  /** May this process run the lane? */
  owns(lane: string): boolean;
  emit(event: EngineEvent): void;
  /** A node of it has ended, and that is durable. */
  progressed(): void;
  /** It waits for others, and counts for nothing meanwhile. */
  aside<Result>(wait: Promise<Result>): Promise<Result>;
  readonly revertRetry: RetryPolicy;
  /** Milliseconds between two tries of a journal write. */
  readonly troubleBackoffMs: number;
}

/** How the process came to the flow. */
export interface Origin {
  /** A former owner may have begun the task at the cursor. */
  readonly recovered: boolean;
  /** Its owners died again and again without progress. */
  readonly poisoned: boolean;
  /** What it did in the transaction that began it. */
  readonly ahead?: Extent | undefined;
}

type Emitted = EngineEvent extends infer E
  ? E extends EngineEvent
    ? Omit<E, 'flowId' | 'flow' | 'resource' | 'requestId' | 'trace'>
    : never
  : never;

export class Runner<Tools, Tx extends EngineTx> {
  readonly #row: FlowRow;
  readonly #options: RunnerOptions<Tools, Tx>;
  readonly #around: Surroundings<Tools>;
  /** Ends everything this runner waits for: the process stops. */
  readonly #stopping = new AbortController();
  readonly #stop = this.#stopping.signal;
  readonly #poisoned: boolean;
  readonly #ahead: Extent | undefined;
  #cursor: Cursor;
  #seq: number;
  #wish: { readonly wish: Wish; readonly reason: string } | null;
  #inherited: boolean;
  /** What a former owner was at, until it is written down. */
  #cut: readonly Step[] = [];
  readonly #work: Work;
  /** Parallel tasks write one after another. */
  #telling: Promise<unknown> = Promise.resolve();

  constructor(row: FlowRow, cursor: Cursor, options: RunnerOptions<Tools, Tx>, origin: Origin) {
    this.#row = row;
    this.#cursor = cursor;
    this.#seq = row.seq;
    this.#options = options;
    this.#around = {
      row,
      tools: options.tools,
      owns: options.owns,
      isTrouble: (error) => options.journal.isTrouble(error),
      cancelled: () => (this.#wish !== null && turnsBack(this.#wish.wish) ? this.#wish.reason : undefined),
    };
    this.#work = new Work(this.#stop, {
      context: () => contextOf(this.#cursor, this.#around),
      progress: (task, fraction, copied) => this.#emit({ is: 'task-progress', task, fraction, copied }),
      retried: (node, failure, tries) => this.#tellRetry(node, failure, tries),
      aside: (wait) => this.#options.aside(wait),
      doing: (doing) => this.#say(doing),
    });
    this.#wish = row.wish === null ? null : { wish: row.wish, reason: row.wishReason ?? '' };
    this.#inherited = origin.recovered;
    this.#poisoned = origin.poisoned;
    this.#ahead = origin.ahead;
  }

  /** An operator or a user wants something of the flow, now. Saying it twice changes nothing. */
  wish(wish: Wish, reason: string): void {
    // Of a flow that is stuck, so that it came with the claim. Heard again, from a look that is late, it would give up another revert.
    if (wish === 'abandon') return;
    this.#wish = { wish, reason };
    const heeded = this.#cursor.reverting
      ? wish === 'revert' && this.#work.silent
      : this.#heeds(this.#cursor, this.#work.begun);
    if (heeded) this.#work.end(new Cancelled(reason));
  }

  /** The process stops, or leaves the lane to others: what runs is told, and nothing more is done. */
  interrupt(reason: Error): void {
    this.#stopping.abort(reason);
    this.#work.interrupt();
  }

  /** In which it stands. */
  get lane(): string {
    return laneOf(this.#cursor);
  }

  /** Says in the database what has run for longer than `afterMs`, for people and other processes. */
  note(afterMs: number): void {
    this.#work.note(afterMs);
  }

  async run(): Promise<void> {
    this.#emit({ is: 'flow-started', recovered: this.#inherited, claims: this.#row.claims });
    if (this.#ahead !== undefined) {
      const { ended, released } = this.#settle(this.#ahead);
      if (ended || released) return;
    }
    this.#cut = this.#cutShort();
    // What had run for long is written down at once: this life may end as the one before. Else it goes with what comes next, and costs no write.
    if (this.#cut.some(({ startedAt }) => startedAt !== null)) await this.#append([]);
    let pending: readonly Step[] = [];
    for (;;) {
      this.#work.renew();
      const before = pending.reduce(advance, this.#cursor);
      const turn = this.#turnBack(before);
      const cursor = turn.reduce(advance, before);
      pending = [...pending, ...turn];
      const action = plan(cursor);
      if (action.do === 'revert' && this.#inherited && this.#poisoned && turn.length === 0) {
        // A revert that kills its process each time must not be begun for ever.
        const { node } = action;
        return await this.#park(this.#failedRevert(node, failureOf(this.#poisonous(node.path), node.path), now()));
      }
      if ((action.do === 'parallel' || needsWorld(action)) && this.#options.owns(laneOf(cursor))) {
        if (pending.length > 0) await this.#append(pending);
        this.#stop.throwIfAborted();
        if (this.#work.ending) {
          pending = [];
          continue;
        }
        if (action.do === 'parallel') pending = await this.#executeAll(action.node.branches);
        else if (action.do === 'execute') pending = [await this.#execute(action.node)];
        else {
          const step = await this.#revert(action.node, action.outcome);
          if (step.event === 'revert_failed') return await this.#park(step);
          pending = [step];
        }
      } else {
        const { cursor: after, ended, released } = await this.#commit(pending, action.do === 'end');
        if (ended || released || after.stuck) return;
        pending = [];
      }
      this.#inherited = false;
    }
  }

  /** What a former owner was at, or about to begin. */
  #cutShort(): readonly Step[] {
    const action = plan(this.#cursor);
    if (!this.#inherited || !(action.do === 'parallel' || needsWorld(action))) return [];
    const data = { reverting: action.do === 'revert' };
    const { doing } = this.#row;
    // Another machine's clock may be ahead of ours.
    const since = [doing?.since ?? now(), now()].reduce((a, b) => (a < b ? a : b));
    return tasksOf(action.node).map(({ path }) =>
      stepOf(this.#cursor, path, { event: 'interrupted', data }, doing?.node === path ? since : null),
    );
  }

  /**
   * A cancel, a poisoned flow or a task that must not run twice, seen at a boundary. What the flow owes from here on
   * without doing anything counts as begun, so that a flow that is cancelled before it ran is put right too.
   */
  #turnBack(cursor: Cursor): readonly Step[] {
    if (cursor.reverting) return this.#giveUp(cursor);
    if (this.#wish === null && !this.#inherited) return [];
    const reason = this.#reasonToTurn(cursor);
    if (reason === undefined) return [];
    const steps: Step[] = [];
    let at = cursor;
    for (let owed = standing(at); owed?.kind === 'task' && owed.body.execute === undefined; owed = standing(at)) {
      const step = stepOf(at, owed.path, { event: 'done', data: null });
      steps.push(step);
      at = advance(at, step);
    }
    const path = standing(at)?.path ?? 'end';
    const interrupted = this.#inherited && inWorld(standing(cursor));
    const failure = { ...failureOf(reason, path), ...(interrupted ? {} : { before: true as const }) };
    return [...steps, stepOf(at, path, { event: 'cancelled', data: { failure, interrupted } })];
  }

  /** The revert that was stuck, when an operator has abandoned it; once. */
  #giveUp(cursor: Cursor): readonly Step[] {
    const action = plan(cursor);
    if (this.#wish?.wish !== 'abandon' || action.do !== 'revert') return [];
    const { reason } = this.#wish;
    this.#wish = null;
    return [stepOf(cursor, action.node.path, { event: 'abandoned', data: { reason } })];
  }

  #reasonToTurn(cursor: Cursor): Error | undefined {
    const node = standing(cursor);
    if (this.#inherited && this.#poisoned) return this.#poisonous(node?.path ?? 'end');
    if (this.#wish !== null && node !== undefined && this.#heeds(cursor, this.#inherited))
      return new Cancelled(this.#wish.reason);
    if (this.#inherited && tasksOf(node).some(({ body }) => body.onInterrupt === 'revert'))
      return new Interrupted('The process died while it ran.');
    return undefined;
  }

  /** Once something is destroyed there is no way back; once that has begun, only for an operator. */
  #heeds(cursor: Cursor, begun: boolean): boolean {
    if (this.#wish === null || !turnsBack(this.#wish.wish)) return false;
    const destroyed = cursor.started.some(
      (each) => 'outcome' in each && each.node.body.forwardOnly && each.outcome.is === 'done',
    );
    if (destroyed) return false;
    return this.#wish.wish === 'revert' || !begun || !tasksOf(standing(cursor)).some(({ body }) => body.forwardOnly);
  }

  async #execute(node: TaskNode): Promise<StepOf<'done' | 'failed'>> {
    const startedAt = now();
    this.#emit({ is: 'task-started', task: node.path, reverting: false });
    const input = inputOf(this.#cursor.store, node);
    const work = async (context: object) => carry((await node.body.execute?.(input, context)) ?? null, node.path);
    const result = await this.#work.tried(
      node.body.retry,
      node,
      startedAt,
      work,
      this.#inherited ? 'inherited task' : 'task',
    );
    if (result instanceof GivenUp) {
      // What a former owner did in it is not known by how it failed now.
      const data = { failure: result.failure, interrupted: this.#inherited };
      return failedStep(this.#cursor, node.path, data, this.#options.tools, startedAt);
    }
    return stepOf(this.#cursor, node.path, { event: 'done', data: result }, startedAt);
  }

  /**
   * Waits for all, so that nothing runs unseen when the reverts begin, or when the runner ends. What was done is
   * journaled before what failed, and what failed in the order of time: the first failure is the cause.
   */
  async #executeAll(nodes: readonly TaskNode[]): Promise<readonly Step[]> {
    const failed: Step[] = [];
    const done: Step[] = [];
    const branches = nodes.map(async (node) => {
      try {
        const step = await this.#execute(node);
        (step.event === 'done' ? done : failed).push(step);
        if (step.event !== 'done') this.#work.end(besides(step));
      } catch (error) {
        this.#work.end(error);
        throw error;
      }
    });
    await Promise.allSettled(branches);
    await Promise.all(branches);
    return [...done, ...failed];
  }

  async #revert(node: TaskNode, outcome: Outcome<TaskResult>): Promise<StepOf<'reverted' | 'revert_failed'>> {
    const startedAt = now();
    this.#emit({ is: 'task-started', task: node.path, reverting: true });
    const input = inputOf(this.#cursor.store, node);
    const undo = async (context: object): Promise<TaskResult> => {
      await node.body.revert?.(input, outcome, context);
      return null;
    };
    const result = await this.#work.tried(this.#options.revertRetry, node, startedAt, undo, 'revert');
    return result instanceof GivenUp
      ? this.#failedRevert(node, result.failure, startedAt)
      : stepOf(this.#cursor, node.path, { event: 'reverted', data: null }, startedAt);
  }

  #failedRevert(node: TaskNode, failure: Failure, startedAt: Timestamp): StepOf<'revert_failed'> {
    const data = { failure, interrupted: false };
    return stepOf(this.#cursor, node.path, { event: 'revert_failed', data }, startedAt);
  }

  #say(doing: Doing | null): void {
    this.#options.journal
      .doing(this.#row.id, doing)
      .catch((error: unknown) => this.#emit({ is: 'journal-trouble', error }));
  }

  /** The first tries tell the story; later ones only that it goes on, so the journal stays small. */
  async #tellRetry(node: TaskNode, failure: Failure, tries: number): Promise<void> {
    this.#emit({ is: 'task-retried', task: node.path, failure, tries });
    if ((tries & (tries - 1)) !== 0) return;
    const tell = (): Promise<void> =>
      this.#append([stepOf(this.#cursor, node.path, { event: 'retried', data: { failure, tries } })]);
    this.#telling = this.#telling.then(tell, tell);
    await this.#telling;
  }

  /** Steps that need no transaction of ours: they share a commit with all flows that write in this turn. */
  async #append(steps: readonly Step[]): Promise<void> {
    const cursor = steps.reduce(advance, this.#cursor);
    const extent = { cursor, steps: [...this.#cut, ...steps], ended: false, released: false };
    await this.#durably(() => this.#options.journal.append(this.#claimed(), writeOf(extent)));
    this.#settle(extent);
  }

  /** The pending steps and all that follow without the world, in one commit. */
  async #commit(given: readonly Step[], ended: boolean): Promise<Extent> {
    const pending = [...this.#cut, ...given];
    if (ended) {
      const extent = { cursor: pending.reduce(advance, this.#cursor), steps: pending, ended, released: false };
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
    const make = async (tx: Tx): Promise<Write> => {
      extent = await extend(tx, this.#cursor, pending, failed, this.#around);
      return writeOf(extent);
    };
    await this.#durably(() => this.#options.journal.transact(this.#claimed(), make, this.#row.resource));
    return extent as unknown as Extent;
  }

  async #park(step: Step): Promise<void> {
    const extent = { cursor: advance(this.#cursor, step), steps: [...this.#cut, step], ended: false, released: true };
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
    this.#cut = [];
    if (isProgress(steps)) this.#options.progressed();
    for (const { node, event, data, startedAt, at } of steps) {
      if (event === 'done')
        this.#emit({
          is: 'task-done',
          task: node,
          ms: startedAt === null ? null : millis(at) - millis(startedAt),
          result: data,
        });
      if (event === 'failed' || event === 'cancelled')
        this.#emit({ is: 'task-failed', task: node, failure: data.failure });
      if (event === 'reverted') this.#emit({ is: 'task-reverted', task: node });
      if (event === 'revert_failed') this.#emit({ is: 'flow-stuck', task: node, failure: data.failure });
      if (event === 'rejected') this.#emit({ is: 'attempt-rejected', rejection: data });
    }
    const state = cursor.reverting ? 'reverted' : 'success';
    if (ended) this.#emit({ is: 'flow-ended', state, failures: cursor.failures, ms: this.#age() });
    else if (released && !cursor.stuck) this.#emit({ is: 'flow-released', lane: laneOf(cursor) });
    return extent;
  }

  /** Milliseconds; the clock of another process may be ahead of ours. */
  #age(): number {
    return Math.max(0, millis(now()) - millis(this.#row.createdAt));
  }

  #claimed(): Claimed {
    return { id: this.#row.id, epoch: this.#row.epoch, seq: this.#seq };
  }

  #poisonous(task: string): Poisonous {
    const { claims } = this.#row;
    this.#emit({ is: 'flow-poisonous', task, claims });
    return new Poisonous(`Its process died ${claims} times in a row while it stood at ${task}.`);
  }

  #emit(event: Emitted): void {
    const { id, name, resource, requestId, trace } = this.#row;
    this.#options.emit({ ...event, flowId: id, flow: name, resource, requestId, trace } as EngineEvent);
  }
}

/** The tasks that run when the flow stands at this node. */
function tasksOf(node: Node | undefined): readonly TaskNode[] {
  if (node?.kind === 'parallel') return node.branches;
  return node?.kind === 'task' ? [node] : [];
}

const turnsBack = (wish: Wish): boolean => wish === 'cancel' || wish === 'revert';

const inWorld = (node: Node | undefined): boolean => tasksOf(node).some(({ record }) => !record);

/** What the tasks beside one that failed are told. */
function besides({ node, data }: StepOf<'failed'>): Cancelled {
  return new Cancelled(`${node} failed beside it.`, data.failure);
}
