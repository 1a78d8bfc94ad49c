/**
 * Statements that may look at many more rows than they return, on SQLite: in a worker thread, so that whoever asks for something else
 * need not wait for a hundred thousand rows to be looked through.
 *
 * The thread has a connection of its own, which sees whatever was committed before a statement begins, as the reader on the main thread
 * does. There is none before it is needed, and it ends with the database. One that cannot begin fails whoever asked it, and the next
 * statement begins another.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ConnectionLost, type Executing, type Result } from './connection.ts';
import type { SearchAnswer, SearchQuestion } from './sqlite-search-thread.ts';

/** A source beside sources, a part of the bundle beside its others. */
const THREAD = new URL(`./sqlite-search-thread${extname(import.meta.filename)}`, import.meta.url);

interface Asked {
  resolve(rows: unknown[]): void;
  reject(error: Error): void;
}

export class SqliteSearch implements Executing {
  readonly dialect = 'sqlite';
  readonly #path: string;
  readonly #asked = new Map<number, Asked>();
  #thread: Worker | undefined;
  #ids = 0;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
  }

  async execute<R>(sql: string, params: readonly unknown[] = []): Promise<Result<R>> {
    if (this.#closed) throw new ConnectionLost('The database is closed.');
    this.#thread ??= this.#begin();
    const thread = this.#thread;
    const { promise, resolve, reject } = Promise.withResolvers<unknown[]>();
    this.#ids += 1;
    this.#asked.set(this.#ids, { resolve, reject });
    // It keeps the process as long as somebody waits for it, and no longer.
    thread.ref();
    thread.postMessage({ id: this.#ids, sql, params } satisfies SearchQuestion);
    const rows = (await promise) as R[];
    return { rows, changes: rows.length };
  }

  /** Resolves when the thread's connection is closed. A statement that runs is run to its end first. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#thread?.terminate();
  }

  #begin(): Worker {
    const thread = new Worker(THREAD, { workerData: this.#path, execArgv: [] });
    let reason: unknown;
    return thread
      .on('message', (answer: SearchAnswer) => this.#hear(thread, answer))
      .on('error', (error) => {
        reason = error;
      })
      .once('exit', () => {
        this.#thread = undefined;
        const lost = new ConnectionLost('The thread that searches the database has ended.', { cause: reason });
        for (const { reject } of this.#asked.values()) reject(lost);
        this.#asked.clear();
      });
  }

  #hear(thread: Worker, answer: SearchAnswer): void {
    const asked = this.#asked.get(answer.id);
    this.#asked.delete(answer.id);
    if (this.#asked.size === 0) thread.unref();
    if ('rows' in answer) asked?.resolve(answer.rows);
    else asked?.reject(Object.assign(new Error(answer.failure.message), { errcode: answer.failure.errcode }));
  }
}
