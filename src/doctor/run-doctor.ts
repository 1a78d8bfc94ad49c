/**
 * The doctor of a server: examines in a process of its own when it is asked, once at a time, and remembers what it found last. What a server
 * has found is not known to others, nor after it has ended.
 */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { now, type Timestamp } from '../lib/clock.ts';
import type { Config } from '../lib/config/config.ts';
import { DIES_WITH_US, type Exec } from '../lib/exec.ts';
import type { Json } from '../lib/json.ts';

/** A source beside sources, a part of the bundle beside its others. */
const CHILD = fileURLToPath(new URL(`./doctor-child${extname(import.meta.filename)}`, import.meta.url));
const BEHIND_OTHERS = ['nice', '-n', '10'] as const;
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
      void this.#run(this.#runningSince);
    }
    return this.state;
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
