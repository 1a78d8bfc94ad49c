/**
 * The engine (a durable executor of sagas): begins flows, claims those that nobody runs, and never loses one.
 *
 * A flow begins in the transaction of the request that asks for it, already owned by the process that took the request. What
 * of it needs no world stands in that very transaction, at its end; its first world task runs when that has committed. Where
 * that cannot be (a record fails, the flow has to wait for its holds, its id is there) the request is undone and made again
 * with the flow only begun, to be run after the commit. A flow that must go on elsewhere is released with its lane set, and
 * the owner of that lane claims it. Crash recovery is the same claim: a process that starts claims at once the flows of its
 * former life, and those of the lanes it comes to own; the next look at the queue finds the flows of other dead processes.
 * Looks are triggered (`wake`) and, as a back-stop, made every `pollMs` (polling).
 *
 * Wishes of operators (cancel, revert, resume, abandon) are columns in the flow's row, so that any process, the command line
 * included, may make them while this one runs.
 */
import { fromNow, orderedUuid, pause, uuid } from '../lib/clock.ts';
import { carry } from './carry.ts';
import { FIRST_LANE } from './cursor.ts';
import type { EngineEvent, EngineListener } from './events.ts';
import { Fenced } from './failure.ts';
import type { AnyFlow, Flow } from './flow.ts';
import {
  type Begun,
  type EngineTx,
  type FlowRow,
  type Held,
  type Hold,
  type Journal,
  type NewFlow,
  NotAhead,
  type Wish,
} from './journal.ts';
import { Quarantine } from './quarantine.ts';
import { Runner } from './runner.ts';
import type { Journaled, RetryPolicy } from './task.ts';
import { type Extent, extend, RecordFailed, writeOf } from './transaction.ts';
import { Registry, resume, UnknownFlow } from './upgrade.ts';

export interface EngineOptions<Tools, Tx extends EngineTx> {
  readonly journal: Journal<Tx>;
  readonly tools: Tools;
  /** All flows this code knows, old versions included. */
  readonly flows: readonly AnyFlow[];
  /** This process, a new name each time it starts. */
  readonly process?: string;
  readonly listen?: EngineListener;
  /**
   * Puts an end to what a process that is gone has begun in a lane that several own, and may still do when it was only frozen. Its flows
   * there are taken up when it resolves; when it rejects they wait for the next look, and others do not.
   */
  fence?(process: string, lane: string): Promise<void>;
  /** Flows at once. Others wait in the table. Default 256. */
  readonly concurrency?: number;
  /** Claims without progress before a flow is taken back. Default 5. */
  readonly maxClaims?: number;
  /** How long others wait for a flow that has its last chance (`quarantine.ts`). Default 30,000. */
  readonly aloneMs?: number;
  readonly pollMs?: number;
  readonly revertRetry?: RetryPolicy;
  readonly troubleBackoffMs?: number;
  /** A world task that runs longer says so in the database, this often. Default 5,000. */
  readonly doingIntervalMs?: number;
  /** Days that ended flows are kept. Default 30. */
  readonly keepEndedDays?: number;
}

export interface StartOptions {
  /** The same id is the same flow. Default: a new one, in the order of time, as lists expect. */
  readonly id?: string;
  /** What it works on: `volume:<id>`. */
  readonly resource: string;
  readonly holds?: readonly Hold[];
  readonly projectId: string;
  readonly requestId: string;
  /** As `FlowRow.trace`. */
  readonly trace?: string | undefined;
  /** What the transaction rejects with when another flow has a resource for itself. Default: the `Held` itself. */
  readonly refusal?: (held: Held) => Error;
}

/** Flows that wait aside are in memory, some KiB each. */
const MOST_ASIDE = 4096;

/** Flows forgotten in one transaction. */
const PRUNE_BITE = 20;
const PRUNE_REST_MS = 25;
const PRUNE_MS = 60_000;
/** Between two tries of what fails. */
const MOST_REST_MS = 60_000;

/** A flow that began here, and what it has done in the transaction of its request. */
interface Fresh {
  readonly flow: NewFlow;
  readonly ahead: Extent | undefined;
}

/** What the engine does of itself, for no flow. */
type Chore = 'queue' | 'old flows' | 'fence';
const ofNoFlow = (what: Chore) => ({ flowId: '', flow: '', resource: what, requestId: '' });

export class Engine<Tools, Tx extends EngineTx> {
  readonly process: string;
  readonly #options: EngineOptions<Tools, Tx>;
  readonly #registry: Registry;
  readonly #running = new Map<string, { readonly runner: Runner<Tools, Tx>; readonly done: Promise<void> }>();
  readonly #dropped = new Set<string>();
  readonly #lanes = new Set<string>();
  /** Flows that ran here when their lane was left to others. */
  readonly #left = new Map<string, Set<string>>();
  readonly #stop = new AbortController();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #concurrency: number;
  readonly #maxClaims: number;
  readonly #quarantine: Quarantine;
  /** Begun here while nothing may begin: they had been promised it before. */
  readonly #postponed: Fresh[] = [];
  #looking: Promise<void> | null = null;
  #lookAgain = false;
  /** Some flow waits for its holds, as far as is known here: each end of a flow may be what it waits for. */
  #othersWait = false;
  /** Flows that wait for what others have (`WorldContext.aside`). */
  #aside = 0;
  /** The last look ended for want of room. */
  #full = false;
  readonly #failing = new Set<Chore>();
  #loop: Promise<unknown> | null = null;

  constructor(options: EngineOptions<Tools, Tx>) {
    this.#options = options;
    this.#registry = new Registry(options.flows);
    this.process = options.process ?? uuid();
    this.#concurrency = options.concurrency ?? 256;
    this.#maxClaims = options.maxClaims ?? 5;
    this.#quarantine = new Quarantine({ maxClaims: this.#maxClaims, aloneMs: options.aloneMs ?? 30_000 });
  }

  /**
   * Takes up what is unfinished. Rejects, naming them, when there are flows in flight that this code can neither finish
   * nor undo; nothing has run then.
   */
  async start(lanes: readonly string[] = []): Promise<void> {
    await this.#checkInFlight();
    this.#lanes.add(FIRST_LANE);
    for (const lane of lanes) this.#lanes.add(lane);
    this.wake();
    await this.#looking;
    this.#loop = Promise.all([this.#poll(), this.#forget()]);
    this.#noteOften();
  }

  /** This process owns the lane from now on: its unfinished flows are taken up at once. */
  own(lane: string): void {
    this.#lanes.add(lane);
    for (const id of this.#left.get(lane) ?? []) if (!this.#running.has(id)) this.#dropped.add(id);
    this.#left.delete(lane);
    this.wake();
  }

  /**
   * The lane is another's now. What runs in it does nothing more, and is taken up by its next owner, who fences this process before
   * (`leaving`, journal.ts), or here when the lane comes back and nobody has.
   */
  disown(lane: string): void {
    this.#lanes.delete(lane);
    const left = this.#left.get(lane) ?? new Set();
    for (const [id, { runner }] of this.#running) {
      if (runner.lane !== lane) continue;
      left.add(id);
      runner.interrupt(new Fenced(`Lane ${lane} is left to others.`));
    }
    this.#left.set(lane, left);
  }

  /** Something may be claimable. */
  wake(): void {
    this.#lookAgain = true;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
      if (this.#lookAgain && !this.#stop.signal.aborted) this.wake();
    });
  }

  /**
   * Begins a flow in the caller's transaction: it exists if and only if that commits. Its first records run when the caller has done
   * all else in it. It waits for the flows that share what it wants for itself; the transaction rejects, at its end, with `Held` when
   * another has it for itself. Returns the flow's id. Rejects with `UnknownFlow` when this very version is not registered: no
   * process that starts could take it up.
   */
  async begin<I extends object, S extends object>(
    tx: Tx,
    flow: Flow<I, S>,
    input: I & Journaled<I>,
    options: StartOptions,
  ): Promise<string> {
    if (!this.#registry.has(flow))
      throw new UnknownFlow(`Flow ${flow.name}@${flow.version} is not registered and cannot begin.`);
    const id = options.id ?? orderedUuid();
    const mine = this.#lanes.has(FIRST_LANE) && this.#busy < this.#concurrency && !this.#quarantine.closed;
    const fresh: NewFlow = {
      id,
      name: flow.name,
      version: flow.version,
      lane: FIRST_LANE,
      input: carry<NewFlow['input']>(input as NewFlow['input'], flow.name),
      owner: mine ? this.process : null,
      resource: options.resource,
      projectId: options.projectId,
      requestId: options.requestId,
      trace: options.trace ?? null,
      holds: options.holds ?? [],
    };
    let begun: Begun = 'there';
    const told = (what: Begun): void => {
      begun = what;
    };
    let ahead: Extent | undefined;
    tx.atEnd(async () => {
      ahead = mine && !tx.repeated ? await this.#goAhead(tx, fresh) : undefined;
      await this.#options.journal.insert(tx, fresh, ahead && writeOf(ahead), told, options.refusal ?? ((held) => held));
    });
    tx.onCommit(() => {
      if (begun === 'there') return;
      if (begun === 'waits') this.#othersWait = true;
      if (!mine || begun === 'waits') this.wake();
      else if (this.#quarantine.closed) this.#postponed.push({ flow: fresh, ahead });
      else this.#runFresh({ flow: fresh, ahead });
    });
    return id;
  }

  /** Resolves when the flow has ended or is stuck, and says how; rejects when `signal` is aborted first. */
  async settled(id: string, signal: AbortSignal): Promise<FlowRow> {
    for (;;) {
      // While it runs here there is nothing to read.
      await unlessAborted(signal, this.#running.get(id)?.done);
      let heard = (): void => {};
      const ended = new Promise<void>((resolve) => {
        heard = resolve;
      });
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting.add(heard));
      try {
        const row = await this.#options.journal.find(id);
        if (row && (row.endedAt !== null || (row.state === 'stuck' && row.wish === null))) return row;
        await Promise.race([ended, pause(this.#options.pollMs ?? 1_000, signal)]);
      } finally {
        waiting.delete(heard);
        if (waiting.size === 0) this.#waiting.delete(id);
      }
    }
  }

  /** Makes a wish of a flow, wherever it runs. False when it has ended. */
  async wish(id: string, wish: Wish, reason: string): Promise<boolean> {
    const heard = await this.#options.journal.wish(id, wish, reason);
    if (!heard) return false;
    this.#running.get(id)?.runner.wish(wish, reason);
    this.wake();
    return true;
  }

  /** Ids of the flows this process runs now. */
  running(): readonly string[] {
    return [...this.#running.keys()];
  }

  /** Stops taking up flows and leaves those that run where they stand: the next process goes on with them. */
  async stop(): Promise<void> {
    this.#stop.abort(new Stopped('The process stops.'));
    for (const { runner } of this.#running.values()) runner.interrupt(this.#stop.signal.reason);
    await this.#loop;
    await this.#looking;
    // Before what is deaf to its signal: the process may be ended from outside while that is waited for. A database that is lost
    // hears nothing, and the stop counts as a death.
    await this.#options.journal.handBack(this.process).catch(() => {});
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  async #checkInFlight(): Promise<void> {
    const unknown: string[] = [];
    for (const row of await this.#options.journal.list({ unended: true })) {
      try {
        resume(this.#registry, row, await this.#options.journal.steps(row.id));
      } catch (error) {
        if (!(error instanceof UnknownFlow)) throw error;
        unknown.push(error.message);
      }
    }
    if (unknown.length > 0)
      throw new UnknownFlow(`Flows are in flight that this version does not know:\n${unknown.join('\n')}`);
  }

  /** What of a new flow needs no world, in the transaction that begins it. Rejects with `NotAhead` when a record of it fails. */
  async #goAhead(tx: Tx, flow: NewFlow): Promise<Extent> {
    const { journal, tools } = this.#options;
    try {
      return await extend(tx, resume(this.#registry, freshRow(flow), []), [], undefined, {
        row: flow,
        tools,
        owns: (lane) => this.#lanes.has(lane),
        isTrouble: (error) => journal.isTrouble(error),
        cancelled: () => undefined,
      });
    } catch (error) {
      throw error instanceof RecordFailed ? new NotAhead({ cause: error }) : error;
    }
  }

  #runFresh({ flow, ahead }: Fresh): void {
    this.#run(freshRow(flow), [], ahead);
  }

  #run(row: FlowRow, steps: Parameters<typeof resume>[2], ahead?: Extent): void {
    // What still runs under an older claim is fenced by this one, and dropped then.
    if (this.#stop.signal.aborted || this.#running.has(row.id)) return;
    const cursor = resume(this.#registry, row, steps);
    const runner = new Runner<Tools, Tx>(
      row,
      cursor,
      {
        journal: this.#options.journal,
        tools: this.#options.tools,
        owns: (lane) => this.#lanes.has(lane),
        emit: (event) => this.#heard(event),
        progressed: () => this.#cleared(row.id),
        aside: (wait) => this.#setAside(wait),
        revertRetry: this.#options.revertRetry ?? { tries: 8, when: () => true, backoffMs: 250, maxBackoffMs: 30_000 },
        troubleBackoffMs: this.#options.troubleBackoffMs ?? 250,
      },
      { recovered: row.claims > 0, poisoned: row.claims > this.#maxClaims, ahead },
    );
    const done = Promise.resolve()
      .then(() => runner.run())
      .catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#drop(row, error);
      })
      .finally(() => {
        this.#running.delete(row.id);
        for (const heard of this.#waiting.get(row.id) ?? []) heard();
        this.#cleared(row.id);
        if (this.#othersWait) this.wake();
        if (this.#full ? this.#hasRoom : this.#quarantine.turnedAway) this.wake();
      });
    this.#running.set(row.id, { runner, done });
  }

  /** What counts among the flows that run at once. */
  get #busy(): number {
    return this.#running.size - Math.min(this.#aside, MOST_ASIDE);
  }

  /** Enough for a look at the queue to be worth it. */
  get #hasRoom(): boolean {
    return this.#busy <= this.#concurrency / 2;
  }

  async #setAside<Result>(wait: Promise<Result>): Promise<Result> {
    this.#aside += 1;
    if (this.#full && this.#hasRoom) this.wake();
    try {
      return await wait;
    } finally {
      this.#aside -= 1;
    }
  }

  /** It is no suspect any more, and whoever had to wait for it need not. */
  #cleared(id: string): void {
    if (this.#quarantine.cleared(id)) this.wake();
  }

  /** Nothing of it runs here now, though it may still be ours: the next look takes it up again if it is. */
  #drop({ id, name, resource, requestId }: FlowRow, error: unknown): void {
    this.#cleared(id);
    // Where its lane is left, it waits for that to come back: a look meanwhile would find that it is not ours to take up.
    if ([...this.#left.values()].some((left) => left.has(id))) return;
    this.#dropped.add(id);
    if (error instanceof Fenced) return;
    this.#heard({ is: 'journal-trouble', error, flowId: id, flow: name, resource, requestId });
  }

  /** A listener that throws is a mistake of its own, and no flow's. */
  #heard(event: EngineEvent): void {
    try {
      this.#options.listen?.(event);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }

  /** One look at the queue: wishes, then flows that waited for their holds, then flows nobody runs. */
  async #look(): Promise<void> {
    this.#lookAgain = false;
    this.#full = false;
    if (this.#lanes.size === 0) return;
    try {
      await this.#grantWishes();
      this.#othersWait = await this.#options.journal.grant();
      // What is dropped from here on waits for the next look.
      const dropped = new Set(this.#dropped);
      for (;;) {
        if (!this.#quarantine.closed) for (const fresh of this.#postponed.splice(0)) this.#runFresh(fresh);
        this.#full = this.#busy >= this.#concurrency;
        if (this.#full || this.#stop.signal.aborted) return;
        let waited = false;
        let limit = 0;
        const rows = await this.#options.journal.claim({
          process: this.process,
          lanes: [...this.#lanes],
          admit: (waiting) => {
            // Told while the database was asked: what is claimed now would not run, and the claim would count against it.
            if (this.#stop.signal.aborted) return undefined;
            waited = waiting.length > 0;
            const running = this.#running.size;
            const admission = this.#quarantine.admit(waiting, { running, room: this.#concurrency - this.#busy });
            limit = admission?.limit ?? 0;
            return admission;
          },
          dropped: [...dropped],
          knows: this.#registry.all(),
          fence: (process, lane) => this.#fence(process, lane),
        });
        // A dropped flow that does not wait is another's.
        for (const id of waited ? rows.map((row) => row.id) : [...dropped]) {
          this.#dropped.delete(id);
          dropped.delete(id);
        }
        for (const { id, claims } of rows) this.#quarantine.taken(id, claims);
        for (const row of rows) await this.#takeUp(row);
        const others = this.#quarantine.turnedAway || rows.length === limit;
        if (rows.length === 0 || !others) return this.#works('queue');
      }
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#fails('queue', error);
    }
  }

  async #fence(process: string, lane: string): Promise<boolean> {
    try {
      await this.#options.fence?.(process, lane);
      this.#works('fence');
      return true;
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#fails('fence', error);
      return false;
    }
  }

  async #takeUp(row: FlowRow): Promise<void> {
    try {
      this.#run(row, await this.#steps(row.id));
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#drop(row, error);
    }
  }

  /** Waits out trouble: to claim a flow again and again would count against it. */
  async #steps(id: string): Promise<Parameters<typeof resume>[2]> {
    for (;;) {
      try {
        return await this.#options.journal.steps(id);
      } catch (error) {
        if (!this.#options.journal.isTrouble(error)) throw error;
        await pause(this.#options.troubleBackoffMs ?? 250, this.#stop.signal);
      }
    }
  }

  async #grantWishes(): Promise<void> {
    for (const { id, wish, reason } of await this.#options.journal.wished(this.process)) {
      this.#running.get(id)?.runner.wish(wish, reason);
    }
  }

  async #poll(): Promise<void> {
    await this.#again('queue', async () => {
      this.wake();
      await this.#looking;
      return this.#options.pollMs ?? 1_000;
    });
  }

  /** Small bites, so that requests are answered in between, however much is old. */
  async #forget(): Promise<void> {
    await this.#again('old flows', async () => {
      const before = fromNow(-(this.#options.keepEndedDays ?? 30) * 86_400_000);
      const pruned = await this.#options.journal.prune(before, PRUNE_BITE);
      this.#works('old flows');
      return pruned === PRUNE_BITE ? PRUNE_REST_MS : PRUNE_MS;
    });
  }

  /** Until the process stops; `work` says how many milliseconds to rest. What fails is tried again with growing pauses. */
  async #again(what: Chore, work: () => Promise<number>): Promise<void> {
    const pollMs = this.#options.pollMs ?? 1_000;
    let failures = 0;
    for (let restMs = pollMs; ; ) {
      try {
        await pause(restMs, this.#stop.signal);
        restMs = await work();
        failures = 0;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#fails(what, error);
        restMs = Math.min(pollMs * 2 ** failures, MOST_REST_MS);
        failures += 1;
      }
    }
  }

  #fails(what: Chore, error: unknown): void {
    this.#failing.add(what);
    this.#heard({ is: 'journal-trouble', error, ...ofNoFlow(what) });
  }

  #works(what: Chore): void {
    if (this.#failing.delete(what)) this.#heard({ is: 'journal-works', ...ofNoFlow(what) });
  }

  /** For people: what takes long. */
  #noteOften(): void {
    const every = this.#options.doingIntervalMs ?? 5_000;
    const timer = setInterval(() => {
      for (const { runner } of this.#running.values()) runner.note(every);
    }, every).unref();
    this.#stop.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  }
}

/** The process stops; its flows go on in the next one. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

/** Resolves when the work has ended; rejects with the signal's reason when it is aborted first. */
async function unlessAborted(signal: AbortSignal, work: Promise<void> | undefined): Promise<void> {
  if (work === undefined) return;
  let heard = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    heard = () => reject(signal.reason);
    if (signal.aborted) heard();
    signal.addEventListener('abort', heard);
  });
  await Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', heard));
}

function freshRow(flow: NewFlow): FlowRow {
  const at = fromNow(0);
  return {
    ...flow,
    state: 'pending',
    epoch: 1,
    seq: 0,
    wish: null,
    wishReason: null,
    claims: 0,
    doing: null,
    createdAt: at,
    updatedAt: at,
    endedAt: null,
  };
}
