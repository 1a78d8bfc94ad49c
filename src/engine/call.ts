/**
 * One call of a world task, as the runner holds it: its abort signal and its progress. The signal is made lazily, when the
 * task looks at it, which most tasks never do.
 */
import { elapsed } from '../lib/clock.ts';
import type { Doing } from './journal.ts';

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
  tells(fraction: number): boolean {
    this.doing = { ...this.doing, progress: fraction };
    if (elapsed() - this.#told < THINNED_MS && fraction < 1) return false;
    this.#told = elapsed();
    return true;
  }
}
