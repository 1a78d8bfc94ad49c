/**
 * Whole answers, as long as nobody has changed anything.
 *
 * Clients ask the same again and again: dashboards the same list, those who wait the same volume. An answer to a route that
 * says it depends on nothing but the database, the URL and who asks (`Route.kept`) is kept together with the database's
 * change mark (`db/change-mark.ts`) and sent again while the mark stands. One commit by anyone makes all of them worthless;
 * then the texts of the rows (`rendered.ts`) are what saves work.
 */
import { changeMark } from '../db/change-mark.ts';
import type { Connection } from '../db/connection.ts';

interface Kept {
  readonly mark: number;
  readonly answer: Buffer;
}

/** What an entry costs beside its answer. */
const OVERHEAD = 400;

export class KeptAnswers {
  readonly #reader: Connection;
  readonly #mostBytes: number;
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(reader: Connection, mostBytes = 32 * 1024 * 1024) {
    this.#reader = reader;
    this.#mostBytes = mostBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** To be taken before anything is read for an answer; undefined where nothing can be kept. */
  mark(): number | undefined {
    return changeMark(this.#reader);
  }

  find(key: string, mark: number): Buffer | undefined {
    const kept = this.#kept.get(key);
    return kept?.mark === mark ? kept.answer : undefined;
  }

  keep(key: string, mark: number, answer: Buffer): void {
    const size = answer.length + OVERHEAD;
    if (size > this.#mostBytes / 4) return;
    this.#drop(key);
    this.#kept.set(key, { mark, answer });
    this.#bytes += size;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#mostBytes) return;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= kept.answer.length + OVERHEAD;
  }
}
