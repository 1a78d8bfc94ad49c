/**
 * Exponential back-off for work that is done again and again, and its alerts without repetition: a failure that lasts is a *trouble*.
 *
 * Each trouble belongs to an upkeep (`exports`) and is about one thing (`attachment:<id>`). Every failure makes the pause longer;
 * success ends the trouble, and so does the end of the thing. It is told when it begins, when its reason becomes one that was not
 * told yet, and when it is over: to the log, and to `keep`, which writes it down for other processes. However long it lasts, no
 * more is said and no more is written. Numbers and ids in a reason (ports, times, processes) make no other reason of it.
 *
 * A trouble that could not be written down, since the database was in trouble itself, is written as soon as anything works
 * again.
 */
import { CLOCK, type Clock, now, type Timestamp } from './clock.ts';
import type { Log } from './logging.ts';

export interface Pace {
  /** Milliseconds of the first pause. */
  readonly firstMs: number;
  readonly longestMs: number;
  /** How much longer the next one is. Default 2. */
  readonly factor?: number;
}

export interface Trouble {
  readonly upkeep: string;
  readonly about: string;
  readonly reason: string;
  readonly since: Timestamp;
}

export interface TroublesOptions {
  readonly log: Log;
  readonly clock?: Clock;
  /** Writes a trouble down. Undefined: it is over. May reject. */
  keep?(upkeep: string, about: string, trouble: Trouble | undefined): Promise<void>;
}

export interface How {
  /** Nothing but a change of the thing itself cures it, so `hurry` of the whole upkeep passes it by. */
  readonly final?: boolean;
  /** `error`: a person must act. Default `warn`. */
  readonly level?: 'warn' | 'error';
}

export interface Failed {
  /** How long it should be left alone. */
  readonly pauseMs: number;
  /** It is a new trouble, or has a new reason. */
  readonly isNews: boolean;
}

interface Lasting extends Trouble {
  readonly tries: number;
  /** By the clock's `elapsed`. */
  readonly dueAt: number;
  readonly final: boolean;
  readonly told: ReadonlySet<string>;
}

const LONGEST_REASON = 1_000;
/** Reasons of one trouble; who has heard so many learns nothing from another. */
const MOST_TOLD = 10;

export class Troubles {
  readonly clock: Clock;
  readonly #options: TroublesOptions;
  readonly #lasting = new Map<string, Lasting>();
  readonly #unkept = new Map<string, Pick<Trouble, 'upkeep' | 'about'>>();
  #keeping: Promise<void> | null = null;

  constructor(options: TroublesOptions) {
    this.#options = options;
    this.clock = options.clock ?? CLOCK;
  }

  failed(
    upkeep: string,
    about: string,
    error: unknown,
    pace: Pace,
    { final = false, level = 'warn' }: How = {},
  ): Failed {
    const key = keyOf(upkeep, about);
    const before = this.#lasting.get(key);
    const reason = messageOf(error).slice(0, LONGEST_REASON);
    const form = formOf(reason);
    const isNews = before === undefined || (!before.told.has(form) && before.told.size < MOST_TOLD);
    const tries = (before?.tries ?? 0) + 1;
    const pauseMs = Math.min(pace.longestMs, pace.firstMs * (pace.factor ?? 2) ** (tries - 1));
    const since = before?.since ?? now();
    const told = isNews ? new Set([...(before?.told ?? []), form]) : before.told;
    const dueAt = this.clock.elapsed() + pauseMs;
    // An older reason that comes back is not told again, nor written.
    this.#lasting.set(key, {
      upkeep,
      about,
      reason: isNews ? reason : before.reason,
      since,
      tries,
      dueAt,
      final,
      told,
    });
    if (isNews) {
      this.#options.log[level]({ upkeep, about, err: error }, 'upkeep failed; it is tried again with growing pauses');
      this.#note(key, { upkeep, about });
    }
    return { pauseMs, isNews };
  }

  worked(upkeep: string, about: string): void {
    const ended = this.#end(upkeep, about);
    if (ended !== undefined)
      this.#options.log.info({ upkeep, about, since: ended.since, tries: ended.tries }, 'upkeep works again');
    else if (this.#unkept.size > 0) this.#keep();
  }

  /** What it was about is there no more. */
  gone(upkeep: string, about: string): void {
    const ended = this.#end(upkeep, about);
    if (ended !== undefined) this.#options.log.info({ upkeep, about }, 'upkeep ends with what it was about');
  }

  /** May it be tried now? */
  isDue(upkeep: string, about: string): boolean {
    const lasting = this.#lasting.get(keyOf(upkeep, about));
    return lasting === undefined || this.clock.elapsed() >= lasting.dueAt;
  }

  /** Something has changed that may have cured it: due at once, and the pauses begin anew. Nothing is told. */
  hurry(upkeep: string, about?: string): void {
    for (const [key, lasting] of this.#lasting) {
      if (lasting.upkeep !== upkeep || (about === undefined ? lasting.final : lasting.about !== about)) continue;
      this.#lasting.set(key, { ...lasting, tries: 0, dueAt: this.clock.elapsed() });
    }
  }

  find(upkeep: string, about: string): (Trouble & { readonly tries: number }) | undefined {
    return this.#lasting.get(keyOf(upkeep, about));
  }

  /** Those that last. */
  all(): readonly Trouble[] {
    return [...this.#lasting.values()];
  }

  /** Resolves when all is kept, or could not be. */
  async kept(): Promise<void> {
    await this.#keeping;
  }

  #end(upkeep: string, about: string): Lasting | undefined {
    const key = keyOf(upkeep, about);
    const lasting = this.#lasting.get(key);
    if (lasting === undefined) return undefined;
    this.#lasting.delete(key);
    this.#note(key, { upkeep, about });
    return lasting;
  }

  #note(key: string, what: Pick<Trouble, 'upkeep' | 'about'>): void {
    this.#unkept.set(key, what);
    this.#keep();
  }

  #keep(): void {
    this.#keeping ??= this.#keepAll().finally(() => {
      this.#keeping = null;
    });
  }

  /** One after the other, each as it is by then. */
  async #keepAll(): Promise<void> {
    for (const [key, { upkeep, about }] of this.#unkept) {
      this.#unkept.delete(key);
      try {
        await this.#options.keep?.(upkeep, about, this.#lasting.get(key));
      } catch {
        this.#unkept.set(key, { upkeep, about });
        return;
      }
    }
  }
}

const keyOf = (upkeep: string, about: string): string => `${upkeep} ${about}`;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Without what may be another each time. */
const formOf = (reason: string): string => reason.replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+/gi, '#');
