/**
 * The quarantine of poison flows (a queue's poison messages): which flows may be taken up together, so that one that kills its
 * process does not take its neighbours down with it.
 *
 * When a process dies, each flow that it ran is as likely to be the poison as any other, so each gets one more claim without
 * progress. The more a flow has, the fewer of its like may run at once in a process:
 *
 * | claims | with the limit at 5 | |
 * |---|---|---|
 * | 0, 1 | all together | one death is what happens to processes |
 * | 2 … limit − 1 | 16, 4, 1 | *suspects*: each death leaves a quarter of the flows to look among |
 * | limit | alone | the *last chance*: nothing else runs in the process, so a death now is this flow's doing |
 * | more | all together | found to be poison: it is taken back and is no danger |
 *
 * The count is the journal's own, raised by the claim that takes a flow up from the dead and set back by the write that ends a
 * node: there is nothing else to remember, and nothing to write while all is well. A suspect that waits is not claimed,
 * so a death while it waits is not counted against it. A flow that makes progress is no suspect any more and makes room for the
 * next, so the innocent are cleared as fast as their tasks end.
 *
 * Promised: a flow that ends its node within `aloneMs` when nothing runs beside it is never taken back for what another did.
 * New flows run beside suspects. They wait only for one that has its last chance: at most `aloneMs` for the running flows to
 * end, and `aloneMs` for it; then all go on beside it.
 */
import { elapsed } from '../lib/clock.ts';

export interface QuarantineOptions {
  /** Claims without progress before a flow is taken back. */
  readonly maxClaims: number;
  readonly aloneMs: number;
}

/** What of the waiting flows is taken up now: of those with such counts, so many. */
export interface Admission {
  readonly claims: readonly number[];
  readonly limit: number;
}

/** With fewer claims a flow is no suspect. */
const SUSPECT = 2;

export class Quarantine {
  readonly #maxClaims: number;
  readonly #aloneMs: number;
  /** Suspects that run here and have made no progress, with their claims. */
  readonly #suspects = new Map<string, number>();
  /** Since when a last chance waits until nothing runs, or runs alone. */
  #closedAt: number | undefined;
  #turnedAway = false;

  constructor({ maxClaims, aloneMs }: QuarantineOptions) {
    this.#maxClaims = maxClaims;
    this.#aloneMs = aloneMs;
  }

  /** No flow may begin in this process just now. */
  get closed(): boolean {
    return this.#closedAt !== undefined && elapsed() - this.#closedAt < this.#aloneMs;
  }

  /** The last look left somebody waiting: whoever ends, or makes progress, should cause another. */
  get turnedAway(): boolean {
    return this.#turnedAway;
  }

  /**
   * `waiting` are the counts that flows would be claimed with, each once; `running` are the flows of this process, and `room` is
   * how many more it has room for.
   */
  admit(waiting: readonly number[], { running, room }: { running: number; room: number }): Admission | undefined {
    const admission = this.#admit(waiting, running, room);
    this.#turnedAway = waiting.some((claims) => !admission?.claims.includes(claims));
    return admission;
  }

  #admit(waiting: readonly number[], running: number, room: number): Admission | undefined {
    const judged = waiting.filter((claims) => this.#isLastChance(claims));
    const isAlone = [...this.#suspects.values()].some((claims) => this.#isLastChance(claims));
    if (isAlone && this.closed) return undefined;
    if (judged.length > 0 && this.#suspects.size === 0) {
      this.#closedAt ??= elapsed();
      if (running > 0 && this.closed) return undefined;
      return { claims: judged, limit: 1 };
    }
    if (!isAlone) this.#closedAt = undefined;
    const free = waiting.filter((claims) => !this.#isSuspect(claims));
    if (room <= 0) return undefined;
    if (free.length > 0) return { claims: free, limit: room };
    if (judged.length > 0 || waiting.length === 0) return undefined;
    const least = Math.min(...waiting);
    const together = Math.min(...[least, ...this.#suspects.values()].map((claims) => this.#together(claims)));
    const limit = Math.min(room, together - this.#suspects.size);
    return limit > 0 ? { claims: [least], limit } : undefined;
  }

  /** The flow is this process's now. */
  taken(id: string, claims: number): void {
    if (!this.#isSuspect(claims)) return;
    this.#suspects.set(id, claims);
    if (this.#isLastChance(claims)) this.#closedAt = elapsed();
  }

  /** It has made progress, or runs here no more. True when somebody may be waiting for that. */
  cleared(id: string): boolean {
    const claims = this.#suspects.get(id);
    if (claims === undefined) return false;
    this.#suspects.delete(id);
    if (this.#isLastChance(claims)) this.#closedAt = undefined;
    return true;
  }

  #isLastChance(claims: number): boolean {
    return claims === this.#maxClaims;
  }

  #isSuspect(claims: number): boolean {
    return this.#isLastChance(claims) || (claims >= SUSPECT && claims < this.#maxClaims);
  }

  #together(claims: number): number {
    return Math.max(1, 4 ** (this.#maxClaims - 1 - claims));
  }
}
