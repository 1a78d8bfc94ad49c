/**
 * What Pumice asks of a pool: the helper kept alive, its turns, and an end to every wait.
 *
 * **A helper that ends** is replaced, and the new one fences the RADOS address of the old one before anything else: what that had begun
 * happens now or never. Then whoever waited is asked for again, which every operation allows. A second end in a row is his failure.
 *
 * **A cluster that does not answer** hangs every operation for ever, and lets all of them end well when it is back. So nothing is cut
 * off in the helper: here a call that waits for long has the cluster probed, and when the probe is not answered either, this call and all
 * others are told that the cluster is away. From then on nothing is sent but one probe; when it is answered, work goes on. A helper that
 * does not even say that it lives is killed and replaced. So is one whose call hangs while the cluster answers, which would keep all others off that
 * image: but only when nothing else is under way in it, since what hangs may be a part of the cluster, and would hang in the next one as well.
 *
 * **Turns.** What is about the same image goes one after another, in the order it came; also behind a call whose caller has given up, since that
 * goes on in the helper. Only so many are sent at once, the rest waits here, where an abort costs nothing.
 *
 * **Fenced** by another process that has taken over, this client does nothing more until `start` is called anew; neither does a new helper, of which the
 * other one could not know.
 */
import type { Exec } from '../../lib/exec.ts';
import { BackendUnanswered, DriverNotInitialized } from '../../model/errors.ts';
import { Semaphore } from '../semaphore.ts';
import { isFence, Late, notThere } from './helper-errors.ts';
import { type Hello, HelperEnded, HelperProcess, type RbdAddress, type RbdFailed } from './helper-process.ts';
import type { Rbd, RbdCall, RbdOrder } from './rbd.ts';
import { type Sent, UnderWay } from './under-way.ts';
import { isSettled, onAbort, waitedFor } from './waits.ts';

/** Operations that the helper does at once. */
const THREADS = 12;
/**
 * So long a probe may take, and half as long a call waits before the cluster is probed: so it is known in 6 s. A cluster that is taken for away and
 * is only slow costs nothing but time.
 */
const PATIENCE_MS = 4_000;
/** What a probe that is answered may not stretch: one OSD of many can hang alone, and librbd by itself. Milliseconds. */
const LIMIT_MS = 180_000;
/** In which a helper says that it lives. */
const PING_MS = 5_000;
/** So long who is aborted waits for the end of what cannot be stopped. */
const SOON_MS = 2_000;
/** The same work, from the beginning. */
const TRIES = 2;

export interface RbdClientOptions {
  readonly exec: Exec;
  readonly address: RbdAddress;
  /** Default 4,000. */
  readonly patienceMs?: number;
  /** What a call may take while the cluster answers. Default 180,000. */
  readonly limitMs?: number;
}

interface Running {
  readonly process: HelperProcess;
  readonly hello: Hello;
}

export class RbdClient implements Rbd {
  readonly #options: RbdClientOptions;
  readonly #patienceMs: number;
  readonly #limitMs: number;
  readonly #turns = new Semaphore(THREADS);
  /** The last call about each image, settled when it has ended in the helper. */
  readonly #about = new Map<string, Promise<unknown>>();
  readonly #underWay = new UnderWay();
  #running: Promise<Running> | undefined;
  /** Addresses of helpers that have ended, and may have left something under way. */
  readonly #dead = new Set<string>();
  #who: string | undefined;
  #fenced = true;
  /** Aborted when the cluster is found away; those who wait are told its reason. */
  #here = new AbortController();
  #probe: Promise<unknown> | undefined;

  constructor(options: RbdClientOptions) {
    this.#options = options;
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
    this.#limitMs = options.limitMs ?? LIMIT_MS;
  }

  async start(signal: AbortSignal): Promise<Hello> {
    this.#fenced = false;
    try {
      const { hello } = await this.#patiently(this.#helper(), signal);
      return hello;
    } catch (error) {
      throw notThere(error);
    }
  }

  async enter(who: string, signal: AbortSignal): Promise<void> {
    try {
      const { process, hello } = await this.#patiently(this.#helper(), signal);
      await this.#patiently(process.ask('enter', { who, address: hello.address }).answer, signal);
      this.#who = who;
    } catch (error) {
      throw isFence(error) ? await this.#wasFenced(error) : notThere(error);
    }
  }

  get isSilent(): boolean {
    return this.#here.signal.aborted;
  }

  async ask(order: RbdOrder, call: RbdCall): Promise<unknown> {
    const sent: Sent = { is: false, hangs: false };
    try {
      return await this.#asked(order, call, sent);
    } catch (error) {
      if (sent.is && !call.signal.aborted && error instanceof DriverNotInitialized && error.unasked)
        throw new BackendUnanswered(error.message, { cause: error });
      throw error;
    }
  }

  async #asked(order: RbdOrder, call: RbdCall, sent: Sent): Promise<unknown> {
    for (let left = TRIES; ; left -= 1) {
      call.signal.throwIfAborted();
      if (order.op === 'stats') await this.#lookAgain(call.signal);
      this.#here.signal.throwIfAborted();
      try {
        return await this.#patiently(this.#inTurn(order, call, sent), call.signal, order.long);
      } catch (error) {
        if (isFence(error)) throw await this.#wasFenced(error);
        if (error instanceof Late) {
          sent.hangs = true;
          await this.#replaceHung();
        }
        if (!(error instanceof HelperEnded) || left === 1) throw notThere(error);
      }
    }
  }

  async stop(): Promise<void> {
    const wasFenced = this.#fenced;
    this.#fenced = true;
    const running = await this.#running?.catch(() => undefined);
    // Who has left nothing under way needs no fence.
    if (running !== undefined && this.#who !== undefined && !wasFenced && this.#about.size === 0)
      await isSettled(running.process.ask('leave', { who: this.#who, address: running.hello.address }).answer, SOON_MS);
    running?.process.kill();
    await running?.process.ended;
    this.#running = undefined;
    this.#who = undefined;
  }

  /** Those that are about the same image wait for each other, whether or not anybody waits for them. */
  async #inTurn({ op, args = {}, about = [] }: RbdOrder, call: RbdCall, sent: Sent): Promise<unknown> {
    const before = [...new Set(about.map((name) => this.#about.get(name)))];
    const ours = Promise.withResolvers<void>();
    for (const name of about) this.#about.set(name, ours.promise);
    const ended = (): void => {
      ours.resolve();
      for (const name of about) if (this.#about.get(name) === ours.promise) this.#about.delete(name);
    };
    const unsent = AbortSignal.any([call.signal, this.#here.signal]);
    try {
      await Promise.all(before);
      unsent.throwIfAborted();
      return await this.#turns.run({ signal: unsent }, async () => {
        const { process } = await this.#helper();
        // It may have taken long, and who has given up goes on elsewhere.
        unsent.throwIfAborted();
        sent.is = true;
        this.#underWay.add(sent);
        const order = process.ask(op, args, call.progress);
        call.signal.addEventListener('abort', order.cancel, { once: true });
        return await order.answer.finally(() => {
          call.signal.removeEventListener('abort', order.cancel);
          this.#underWay.delete(sent);
          void this.#replaceHung();
        });
      });
    } finally {
      ended();
    }
  }

  /** The one that runs, or a new one that has fenced those before it. */
  #helper(): Promise<Running> {
    if (this.#fenced)
      throw new DriverNotInitialized('The backend has not been started, or another process has taken it over.');
    this.#running ??= this.#begin();
    return this.#running;
  }

  async #begin(): Promise<Running> {
    const process = new HelperProcess(this.#options.exec, this.#options.address, THREADS);
    process.ended.then(() => {
      this.#running = undefined;
    });
    try {
      const hello = await process.hello;
      process.ended.then(() => this.#dead.add(hello.address));
      for (const address of [...this.#dead]) {
        await process.ask('fence', { address }).answer;
        this.#dead.delete(address);
      }
      if (this.#who !== undefined) await process.ask('enter_again', { who: this.#who, address: hello.address }).answer;
      return { process, hello };
    } catch (error) {
      process.kill();
      await process.ended;
      throw error;
    }
  }

  /** Ends a helper in which nothing is under way but what hangs; whoever asks next begins another, which fences it. */
  async #replaceHung(): Promise<void> {
    if (!this.#underWay.allHang || this.isSilent) return;
    const running = await this.#running?.catch(() => undefined);
    running?.process.kill();
  }

  /** Until it is answered, the caller gives up, or the cluster is found away. */
  async #patiently<Answer>(answer: Promise<Answer>, signal: AbortSignal, long = false): Promise<Answer> {
    answer.catch(() => {});
    const stop = new AbortController();
    const ended = Promise.withResolvers<never>();
    ended.promise.catch(() => {});
    const { signal: here } = this.#here;
    const giveUp = (): void => {
      if (here.aborted) ended.reject(here.reason);
      // Most of what was sent ends soon, and then it is known what there is.
      else void isSettled(answer, SOON_MS).then(() => ended.reject(signal.reason));
    };
    const watched = this.#watch(long, stop.signal, ended.reject);
    for (const each of [signal, here]) {
      if (each.aborted) giveUp();
      each.addEventListener('abort', giveUp, { once: true });
    }
    try {
      const answered = await Promise.race([answer, ended.promise]);
      signal.throwIfAborted();
      return answered;
    } finally {
      stop.abort();
      for (const each of [signal, here]) each.removeEventListener('abort', giveUp);
      await watched;
    }
  }

  /** Looks now and then whether the cluster is there, until it is told to stop. */
  async #watch(long: boolean, stop: AbortSignal, late: (reason: Error) => void): Promise<void> {
    for (let [waited, restMs] = [0, this.#patienceMs / 2]; ; waited += restMs, restMs = this.#patienceMs) {
      if (!(await waitedFor(restMs, stop))) return;
      if (!long && waited >= this.#limitMs) return late(new Late('The Ceph cluster has not answered in time.'));
      // The answer may come meanwhile, and nobody waits for the probe then.
      await Promise.race([this.#probed(), new Promise<void>((resolve) => onAbort(stop, resolve))]);
      if (stop.aborted) return;
    }
  }

  /** Those who wait are told when it is not answered. */
  async #probed(): Promise<void> {
    this.#probe ??= this.#sendProbe();
    const probe = this.#probe;
    if (await isSettled(probe, this.#patienceMs)) return;
    const running = (await isSettled(this.#running ?? Promise.resolve(), 0))
      ? await this.#running?.catch(() => undefined)
      : undefined;
    if (running === undefined || !(await isSettled(running.process.ping(), PING_MS))) {
      // Not the cluster, or not it alone.
      running?.process.kill();
    }
    this.#here.abort(new BackendUnanswered('The Ceph cluster does not answer.'));
  }

  async #sendProbe(): Promise<void> {
    try {
      const { process } = await this.#helper();
      await process.ask('stats', {}).answer;
    } catch {
      // It answers, if only with an error.
    } finally {
      this.#probe = undefined;
    }
    if (this.#here.signal.aborted) this.#here = new AbortController();
  }

  /** When the cluster was away: whether its probe is answered by now. */
  async #lookAgain(signal: AbortSignal): Promise<void> {
    if (!this.#here.signal.aborted) return;
    this.#probe ??= this.#sendProbe();
    const probe = this.#probe;
    await Promise.race([isSettled(probe, PING_MS), new Promise<void>((resolve) => onAbort(signal, resolve))]);
    signal.throwIfAborted();
  }

  async #wasFenced(cause: RbdFailed): Promise<DriverNotInitialized> {
    this.#fenced = true;
    await this.stop();
    return new DriverNotInitialized('Another process has taken the backend over, and has fenced this one.', { cause });
  }
}
