/**
 * Transactions of the writer's own session, opened again when it is lost.
 *
 * When the connection breaks between COMMIT and its answer, nobody here knows whether the transaction counts. So each
 * transaction learns its id when it begins, and the id is asked about on a new connection. While the server still runs it
 * (it may not have noticed that its client is gone), its session is ended first: an end that has begun to commit is
 * finished by the server, one that has not is undone, and either answer is final.
 */
import { elapsed, pause } from '../../lib/clock.ts';
import { ConnectionLost, unawaited } from './connection.ts';
import { Db } from './db.ts';
import { PostgresqlSession, sqlState } from './postgresql.ts';
import { TransactionCache } from './transaction-cache.ts';
import { CommitInDoubt, FailureSwallowed, type OpenTransaction, type Transactor } from './transactor.ts';

const SERIALIZATION_FAILURE = '40001';
const DEADLOCK_DETECTED = '40P01';

export class PostgresqlTransactor implements Transactor {
  readonly #url: string;
  readonly #doubtMs: number;
  #session: PostgresqlSession | undefined;
  #transaction: OpenTransaction | undefined;
  /** Of the transaction that runs. */
  #xid: Promise<string> = Promise.resolve('');
  #open = false;
  #shared = false;
  /** The savepoint of the unit before stands. */
  #saved = false;

  /** `doubtMs`: how long a commit whose answer was lost is asked about. */
  constructor(url: string, doubtMs: number) {
    this.#url = url;
    this.#doubtMs = doubtMs;
  }

  get failure(): unknown {
    return this.#session?.failure;
  }

  set failure(failure: unknown) {
    if (this.#session) this.#session.failure = failure;
  }

  async begin(shared: boolean): Promise<OpenTransaction> {
    if (this.#session?.stale) await this.#session.close();
    if (this.#session === undefined || this.#session.lost) {
      this.#session = await PostgresqlSession.open(this.#url);
      const cache = new TransactionCache(this.#session);
      this.#transaction = { connection: this.#session, db: new Db(this.#session, cache), cache };
    }
    const session = this.#session;
    const transaction = this.#transaction as OpenTransaction;
    session.failure = undefined;
    this.#shared = shared;
    this.#saved = false;
    this.#open = true;
    this.#xid = session.script('BEGIN; SELECT pg_current_xact_id()::text AS xid').then(([, id]) => id?.rows[0].xid);
    unawaited(this.#xid);
    transaction.cache.begin();
    return transaction;
  }

  enter(): void {
    if (!this.#shared) return;
    unawaited(this.#running().script(this.#saved ? 'RELEASE unit; SAVEPOINT unit' : 'SAVEPOINT unit'));
    this.#saved = true;
  }

  async undo(): Promise<boolean> {
    await this.#running().script(this.#shared ? 'ROLLBACK TO unit' : 'ROLLBACK');
    this.#open = this.#shared;
    return this.#shared;
  }

  async commit(signal: AbortSignal): Promise<void> {
    if (!this.#open) return;
    const session = this.#running();
    const xid = await this.#xid;
    try {
      const [ended] = await session.script('COMMIT');
      this.#open = false;
      // PostgreSQL answers COMMIT with ROLLBACK, and no error, when a statement of the transaction had failed.
      if (ended?.command !== 'COMMIT') throw new FailureSwallowed(session.failure);
    } catch (error) {
      this.#open = false;
      if (!session.lost || (await this.#fate(xid, session.backendPid, signal)) === 'aborted') throw error;
    }
  }

  async abandon(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    // A session that cannot even roll back is closed, which makes the server do it.
    await this.#running()
      .script('ROLLBACK')
      .catch(() => this.#session?.close());
  }

  passes(error: unknown): boolean {
    if (error instanceof ConnectionLost || this.#session?.lost || this.#session?.stale) return true;
    return [error, this.failure].some((each) =>
      [SERIALIZATION_FAILURE, DEADLOCK_DETECTED].includes(sqlState(each) ?? ''),
    );
  }

  async close(): Promise<void> {
    await this.#session?.close();
  }

  #running(): PostgresqlSession {
    if (this.#session === undefined) throw new Error('No transaction was begun.');
    return this.#session;
  }

  async #fate(xid: string, backendPid: number, signal: AbortSignal): Promise<'committed' | 'aborted'> {
    const start = elapsed();
    let reason: unknown;
    for (let waitMs = 10; elapsed() - start < this.#doubtMs && !signal.aborted; waitMs = Math.min(waitMs * 2, 1000)) {
      let asked: PostgresqlSession | undefined;
      try {
        asked = await PostgresqlSession.open(this.#url);
        const [row] = await asked.query<{ fate: string | null }>('SELECT pg_xact_status($1::xid8) AS fate', [xid]);
        if (row?.fate === 'committed' || row?.fate === 'aborted') return row.fate;
        reason = new Error(`PostgreSQL answers that the transaction is ${row?.fate ?? 'too old to be remembered'}.`);
        await asked.query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_xid = $2::xid8::xid',
          [backendPid, xid],
        );
      } catch (error) {
        reason = error;
      } finally {
        await asked?.close();
      }
      await pause(waitMs, signal, { ref: true }).catch(() => {});
    }
    throw new CommitInDoubt(
      `The answer to the commit of transaction ${xid} was lost, and what became of it could not be found out.`,
      { cause: reason },
    );
  }
}
