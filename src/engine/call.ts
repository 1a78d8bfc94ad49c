/**
 * One call of a world task, as the runner holds it: its abort signal, its progress, and what it waits for. The signal is made lazily, when the
 * task looks at it, which most tasks never do.
 */
import { elapsed, now } from '../lib/clock.ts';
import type { Copied, Wait } from '../lib/progress.ts';
import type { Copying, Doing } from './journal.ts';

/** Milliseconds between two tellings of progress. */
const THINNED_MS = 100;

export class Call {
  /** For people. */
  doing: Doing;
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #told = Number.NEGATIVE_INFINITY;

  constructor(doing: Doing) {
    this.doing = doing;
  }

  get aborted(): { readonly reason: unknown } | undefined {
    return this.#aborted;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  /** The first reason counts. */
  abort(reason: unknown): void {
    this.#aborted ??= { reason };
    this.#controller?.abort(this.#aborted.reason);
  }

  /** Keeps the progress; true when listeners should hear of it. */
  tells(fraction: number, copied?: Copied): boolean {
    const { copying, ...doing } = this.doing;
    this.doing = { ...doing, progress: fraction, ...(copied && { copying: continued(copying, copied) }) };
    if (elapsed() - this.#told < THINNED_MS && fraction < 1) return false;
    this.#told = elapsed();
    return true;
  }

  /** Null: it goes on. */
  waits(wait: Wait | null): void {
    const { waiting, ...doing } = this.doing;
    const since = waiting !== undefined && waiting.what === wait?.what ? waiting.since : now();
    this.doing = wait === null ? doing : { ...doing, waiting: { ...wait, since } };
  }
}

/** Another copy has begun when there is something else to copy, or less of it is there. */
function continued(before: Copying | undefined, { bytes, of }: Copied): Copying {
  const at = now();
  const goesOn = before !== undefined && before.of === of && bytes >= before.bytes;
  return goesOn ? { ...before, bytes, at } : { bytes, of, since: at, from: bytes, at };
}
