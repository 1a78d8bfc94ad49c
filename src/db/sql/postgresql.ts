/**
 * PostgreSQL by way of `pg`: a connection pool that only reads, and single sessions for what must stay on one connection (the writer,
 * the session that holds locks and listens).
 *
 * Columns of eight bytes and sums come as numbers, checked to be exact. A connection that breaks is told apart from a
 * statement that fails: `ConnectionLost`, and the session is never used again.
 */
import pg from 'pg';
import { ConnectionLost, type PostgresqlConnection, type Result } from './connection.ts';
import { GuardedClient } from './guarded-client.ts';
import { StatementNames } from './statement-names.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** A silent network gives no error; no statement of ours takes this long. */
const ANSWER_TIMEOUT_MS = 60_000;
/** A process that was frozen in mid-transaction holds row locks that others wait for: no longer than for one that was frozen elsewhere. */
const IDLE_IN_TRANSACTION_MS = 6_000;

const INT8 = 20;
const NUMERIC = 1700;
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 || oid === NUMERIC ? exactNumber : pg.types.getTypeParser(oid, format as 'text'),
};

function exactNumber(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
    throw new RangeError(`${text} does not fit a number.`);
  }
  return value;
}

/** A host that lost its power says no goodbye, and the server keeps its locks until it notices: within half a minute. */
const NOTICE_LOSS = '-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3';
/**
 * What a session writes goes by keys, whose pages are in memory. A plan made once is kept, so it must not be that of a young table,
 * which PostgreSQL would rather read whole: 1,250 flows a second instead of 900.
 */
const BY_KEYS = '-c plan_cache_mode=force_generic_plan -c random_page_cost=1.1';

/** `name`: what the server calls the session, and after it what the address asks to be called, which `pg` would take instead. */
function settings(url: string, name = 'pumice'): pg.ClientConfig {
  const address = new URL(url);
  const given = address.searchParams.get('application_name');
  address.searchParams.delete('application_name');
  return {
    connectionString: address.href,
    types,
    application_name: given === null ? name : `${name} of ${given}`,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
  };
}

/** One connection, for as long as it lives. */
export class PostgresqlSession implements PostgresqlConnection {
  readonly dialect = 'postgresql';
  /** The server process on the other side. */
  readonly backendPid: number;
  /** The first statement that failed since the writer cleared this. */
  failure: unknown = undefined;
  readonly #client: GuardedClient;
  readonly #names = new StatementNames();
  #lost = false;
  #stale = false;
  #onLost: () => void = () => {};

  /** `name`: what the server calls it. */
  static async open(url: string, name = 'pumice'): Promise<PostgresqlSession> {
    const client = new GuardedClient({
      ...settings(url, name),
      pipeline: true,
      options: `${NOTICE_LOSS} ${BY_KEYS}`,
    });
    // Without a listener a broken connection would end the process.
    client.on('error', () => {});
    try {
      await client.connect();
    } catch (error) {
      throw new ConnectionLost('Could not connect to PostgreSQL.', { cause: error });
    }
    return new PostgresqlSession(client);
  }

  private constructor(client: GuardedClient) {
    this.#client = client;
    this.backendPid = (client as GuardedClient & { readonly processID: number }).processID;
    client.on('error', () => this.#lose());
    client.on('end', () => this.#lose());
  }

  get lost(): boolean {
    return this.#lost;
  }

  /** The schema has changed under its statements, of which some cannot run again: a newer process has migrated the database. */
  get stale(): boolean {
    return this.#stale;
  }

  /** The other side is silent: it counts as broken. */
  giveUp(): void {
    this.#client.cut();
  }

  /** Called once, when the connection breaks; not when it is closed. */
  onLost(fn: () => void): void {
    this.#onLost = fn;
  }

  /** Called with each notification on the channels this session listens to. */
  onNotification(fn: (channel: string) => void): void {
    this.#client.on('notification', ({ channel }) => fn(channel));
  }

  async execute<R>(sql: string, params: readonly unknown[] = []): Promise<Result<R>> {
    return outcome(await this.#send({ name: this.#names.of(sql), text: sql, values: [...params] }));
  }

  async query<R>(sql: string, params?: readonly unknown[]): Promise<R[]> {
    return (await this.execute<R>(sql, params)).rows;
  }

  async prepared<R>(name: string, sql: string, params: readonly unknown[]): Promise<R[]> {
    return (await this.#send({ name, text: sql, values: [...params] })).rows as R[];
  }

  async run(sql: string): Promise<void> {
    await this.script(sql);
  }

  /** Several statements in one round trip; the results in their order. */
  async script(sql: string): Promise<readonly pg.QueryResult[]> {
    const results: pg.QueryResult | pg.QueryResult[] = await this.#send({ text: sql });
    return Array.isArray(results) ? results : [results];
  }

  async close(): Promise<void> {
    this.#lost = true;
    await this.#client.end().catch(() => {});
  }

  async #send(query: pg.QueryConfig): Promise<pg.QueryResult> {
    try {
      return await this.#client.query(query);
    } catch (error) {
      this.failure ??= error;
      this.#stale ||= isStalePlan(error);
      if (this.#lost || breaks(error)) {
        this.#lose();
        throw new ConnectionLost('The connection to PostgreSQL was lost.', { cause: error });
      }
      throw error;
    }
  }

  #lose(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#onLost();
    void this.#client.end().catch(() => {});
  }
}

/**
 * Many readers, none of which can write. A read that finds its connection broken, or its plan made for columns of before a migration, is
 * asked again on another.
 *
 * Only what finds rows by their keys has a name (`prepared`). A list's plan must fit its values: with a name PostgreSQL takes one for
 * any values after five uses, and among 100,000 volumes those of a rare status then took 130 ms instead of 1.
 */
export class PostgresqlPool implements PostgresqlConnection {
  readonly dialect = 'postgresql';
  readonly #pool: pg.Pool;
  readonly #most: number;
  #closed: Promise<void> | undefined;

  constructor(url: string, most: number) {
    this.#most = most;
    this.#pool = new pg.Pool({
      ...settings(url),
      Client: GuardedClient,
      max: most,
      options: '-c default_transaction_read_only=on',
    });
    this.#pool.on('error', () => {});
  }

  async execute<R>(sql: string, params: readonly unknown[] = []): Promise<Result<R>> {
    return outcome(await this.#send({ text: sql, values: [...params] }));
  }

  async query<R>(sql: string, params?: readonly unknown[]): Promise<R[]> {
    return (await this.execute<R>(sql, params)).rows;
  }

  async prepared<R>(name: string, sql: string, params: readonly unknown[]): Promise<R[]> {
    return (await this.#send({ name, text: sql, values: [...params] })).rows as R[];
  }

  async run(sql: string): Promise<void> {
    await this.#send({ text: sql });
  }

  async close(): Promise<void> {
    this.#closed ??= this.#pool.end();
    await this.#closed;
  }

  async #send(query: pg.QueryConfig): Promise<pg.QueryResult> {
    // After a restart of the server each idle connection of the pool is broken, and finding that out costs one failure each.
    for (let failures = 0; ; failures++) {
      try {
        return await this.#pool.query(query);
      } catch (error) {
        // Whose read has failed is in the pool no more.
        if (!(breaks(error) || isStalePlan(error)) || this.#closed !== undefined) throw error;
        if (failures >= this.#most) throw new ConnectionLost('PostgreSQL does not answer.', { cause: error });
      }
    }
  }
}

function outcome<R>(result: pg.QueryResult): Result<R> {
  return { rows: result.rows as R[], changes: result.rowCount ?? 0 };
}

/** The SQLSTATE of a failure that PostgreSQL reported. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** A statement with a name gives other columns now than when it was parsed. */
const isStalePlan = (error: unknown): boolean =>
  sqlState(error) === '0A000' && error instanceof Error && error.message.startsWith('cached plan');

/** Whether the connection is gone with this error: closed by the server, or by anything between us and it. */
function breaks(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined) return /^(08|57P0|25P0[34])/.test(state);
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code)) return true;
  return /^(Connection terminated|Client (was closed|has encountered)|Query read timeout|timeout e)/.test(
    error.message,
  );
}
