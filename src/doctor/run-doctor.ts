/**
 * The doctor of a server: examines in a process of its own when it is asked, once at a time, and remembers what it found last. What a server
 * has found is not known to others, nor after it has ended. The process that delivers events asks by itself (`upkeep/loops.ts`).
 */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { now, type Timestamp } from '../lib/clock.ts';
import type { Config } from '../lib/config/config.ts';
import { BEHIND_OTHERS, DIES_WITH_US, type Exec, exec } from '../lib/exec.ts';
import type { Json } from '../lib/json.ts';
import type { FoundThing } from './report-facts.ts';

/** A source beside sources, a part of the bundle beside its others. */
const CHILD = fileURLToPath(new URL(`./doctor-child${extname(import.meta.filename)}`, import.meta.url));
const LIMIT_MS = 30 * 60_000;

export interface DoctorState {
  /** Null when nobody examines. */
  readonly running_since: Timestamp | null;
  readonly last: LastReport | null;
}

interface LastReport {
  readonly begun_at: Timestamp;
  readonly ended_at: Timestamp;
  /** Why there is no report; null when there is one. */
  readonly failure: string | null;
  readonly report: Json;
}

export class ServedDoctor {
  readonly #config: Config;
  readonly #exec: Exec;
  #runningSince: Timestamp | null = null;
  #running: Promise<void> = Promise.resolve();
  #last: LastReport | null = null;

  constructor(config: Config, exec: Exec) {
    this.#config = config;
    this.#exec = exec;
  }

  get state(): DoctorState {
    return { running_since: this.#runningSince, last: this.#last };
  }

  /** Begins, unless it is at it already. */
  begin(): DoctorState {
    if (this.#runningSince === null) {
      this.#runningSince = now();
      this.#running = this.#run(this.#runningSince);
    }
    return this.state;
  }

  /** Examines, and resolves with what was found. Rejects when that cannot be told, and when the signal is aborted. */
  async examine(signal: AbortSignal): Promise<readonly FoundThing[]> {
    this.begin();
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await Promise.race([this.#running, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
    if (this.found === null) throw new Error(`The doctor could not examine: ${this.#last?.failure}`);
    return this.found;
  }

  /** The last time; null when it did not examine yet, or could not. */
  get found(): readonly FoundThing[] | null {
    const report = this.#last?.report as { readonly findings: readonly FoundThing[] } | null | undefined;
    return report?.findings ?? null;
  }

  async #run(begun_at: Timestamp): Promise<void> {
    const ended = (failure: string | null, report: Json): void => {
      this.#last = { begun_at, ended_at: now(), failure, report };
      this.#runningSince = null;
    };
    try {
      const text = await this.#exec([...BEHIND_OTHERS, ...DIES_WITH_US, process.execPath, CHILD], {
        signal: new AbortController().signal,
        timeoutMs: LIMIT_MS,
        input: JSON.stringify(this.#config),
      });
      ended(null, JSON.parse(text) as Json);
    } catch (error) {
      ended(error instanceof Error ? error.message : String(error), null);
    }
  }
}

const DOCTORS = new WeakMap<Config, ServedDoctor>();

/** One a server, whose configuration is its own. */
export function doctorOf(config: Config): ServedDoctor {
  const known = DOCTORS.get(config) ?? new ServedDoctor(config, exec);
  DOCTORS.set(config, known);
  return known;
}
