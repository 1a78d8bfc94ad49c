/** A session with PostgreSQL by way of `pg`, guarded as those of Pumice's own database are. Times come as text. */
import pg from 'pg';
import { GuardedClient } from '../../db/sql/guarded-client.ts';
import { type CinderAddress, placeOf } from './cinder-address.ts';
import type { CinderSession, ColumnFound, RawRow, SessionPurpose, WhereClause } from './cinder-session.ts';
import type { CinderKey } from './cinder-tables.ts';
import { unreadable } from './cinder-unreadable.ts';
import { tlsOptions } from './tls-options.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** Nothing ends a read that takes long, and nothing is changed by this session, whatever was asked in it. */
const OPTIONS =
  '-c default_transaction_read_only=on -c datestyle=ISO -c statement_timeout=0 -c idle_in_transaction_session_timeout=0';

const [TIMESTAMP, TIMESTAMPTZ] = [1114, 1184];
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === TIMESTAMP || oid === TIMESTAMPTZ ? (text: string) => text : pg.types.getTypeParser(oid, format as 'text'),
};

export async function openPostgresql(
  address: CinderAddress,
  password: string | undefined,
  purpose: SessionPurpose = 'read',
): Promise<CinderSession> {
  let client: pg.Client | undefined;
  try {
    client = await connected(address, password);
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ${purpose === 'read' ? 'ONLY' : 'WRITE'}`);
    // The snapshot is taken by the first statement.
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    return new PostgresqlSession(client, address, purpose, `PostgreSQL ${rows[0]?.server_version.split(' ')[0]}`);
  } catch (error) {
    await client?.end().catch(() => {});
    throw unreadable(`Connecting to ${placeOf(address)}`, error);
  }
}

async function connected(address: CinderAddress, password: string | undefined): Promise<pg.Client> {
  const { socket, host, port, user, database, tls } = address;
  const options: pg.ClientConfig = {
    host: socket ?? host,
    port,
    user,
    database,
    // Without one `pg` would ask the environment.
    password: password ?? '',
    types,
    application_name: 'pumice import',
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    options: OPTIONS,
  };
  const ssl = tlsOptions(tls) ?? false;
  const first = await tried({ ...options, ssl });
  if (first instanceof pg.Client) return first;
  const second = tls.mode === 'preferred' && /does not support SSL/.test(first.message) ? await tried(options) : first;
  if (second instanceof pg.Client) return second;
  throw second;
}

async function tried(options: pg.ClientConfig): Promise<pg.Client | Error> {
  const client = new GuardedClient(options);
  client.on('error', () => {});
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    return error instanceof Error ? error : new Error(String(error));
  }
}

class PostgresqlSession implements CinderSession {
  readonly dialect = 'postgresql';
  readonly server: string;
  readonly #client: pg.Client;
  readonly #doing: string;

  constructor(client: pg.Client, address: CinderAddress, purpose: SessionPurpose, server: string) {
    this.#client = client;
    this.#doing = `${purpose === 'read' ? 'Reading' : 'Writing'} ${placeOf(address)}`;
    this.server = server;
  }

  async ask(sql: string, values: readonly unknown[] = []): Promise<readonly RawRow[]> {
    try {
      const [first, ...parts] = sql.split('?');
      const text = first + parts.map((part, index) => `$${index + 1}${part}`).join('');
      return (await this.#client.query<RawRow>(text, [...values])).rows;
    } catch (error) {
      throw unreadable(this.#doing, error);
    }
  }

  async columns(): Promise<readonly ColumnFound[]> {
    const rows = await this.ask(
      'SELECT table_name AS t, column_name AS c, data_type AS d FROM information_schema.columns WHERE table_schema = ANY (current_schemas(false))',
    );
    return rows.map(({ t, c, d }) => ({ table: String(t), column: String(c), type: String(d) }));
  }

  async mayWrite(tables: readonly string[]): Promise<boolean> {
    const [row] = await this.ask(
      "SELECT bool_or(has_table_privilege(quote_ident(name), 'INSERT, UPDATE, DELETE')) AS may FROM unnest(?::text[]) AS name",
      [tables],
    );
    return row?.may === true;
  }

  quoted(name: string): string {
    return `"${name}"`;
  }

  isAfter(column: string, key: CinderKey): WhereClause {
    return { sql: `${this.quoted(column)} > ?`, values: [key] };
  }

  isBefore(column: string, key: CinderKey): WhereClause {
    return { sql: `${this.quoted(column)} < ?`, values: [key] };
  }

  prefix(column: string, letters: number): string {
    return `left(${column}, ${letters}) COLLATE "C"`;
  }

  /** A sum, since only servers from 14 on have `bit_xor`. */
  digest(columns: readonly string[]): string {
    const row = `concat_ws(',', ${columns.map((column) => `quote_nullable(${column})`).join(', ')})`;
    return `concat(count(*), ':', sum(('x' || left(md5(${row}), 15))::bit(60)::bigint))`;
  }

  isAmong(column: string, keys: readonly CinderKey[]): WhereClause {
    return { sql: `${this.quoted(column)} = ANY (?)`, values: [keys] };
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => {});
  }
}
