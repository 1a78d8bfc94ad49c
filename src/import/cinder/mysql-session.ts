/**
 * A session with MySQL or MariaDB by way of `mysql2`, which nothing loads but an import.
 *
 * Statements are prepared, so that no value is ever put into the text of one. Times come as text: as `Date` they would be taken for
 * those of this machine's zone.
 */
import mysql from 'mysql2/promise';
import { type CinderAddress, placeOf } from './cinder-address.ts';
import type { CinderSession, ColumnFound, RawRow, SessionPurpose, WhereClause } from './cinder-session.ts';
import type { CinderKey } from './cinder-tables.ts';
import { unreadable } from './cinder-unreadable.ts';
import { tlsOptions } from './tls-options.ts';

const CONNECT_TIMEOUT_MS = 10_000;

export async function openMysql(
  address: CinderAddress,
  password: string | undefined,
  purpose: SessionPurpose = 'read',
): Promise<CinderSession> {
  const doing = `Connecting to ${placeOf(address)}`;
  let connection: mysql.Connection | undefined;
  try {
    connection = await connected(address, password);
    // Whatever the server's mode is: what does not fit is refused, and names are quoted as they are read here (`SHOW GRANTS`).
    await connection.query("SET SESSION sql_mode = 'STRICT_ALL_TABLES'");
    // A row that is changed in the middle of a batch is as it was: Cinder goes on meanwhile.
    await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await connection.query(`START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ${purpose === 'read' ? 'ONLY' : 'WRITE'}`);
    const [[row]] = (await connection.query('SELECT version() AS version')) as unknown as [[{ version: string }]];
    return new MysqlSession(connection, address, purpose, serverOf(row.version));
  } catch (error) {
    connection?.destroy();
    throw unreadable(doing, error);
  }
}

async function connected(address: CinderAddress, password: string | undefined): Promise<mysql.Connection> {
  const { socket, host, port, user, database, tls } = address;
  const options: mysql.ConnectionOptions = {
    ...(socket === null ? { host, port } : { socketPath: socket }),
    user,
    database,
    ...(password !== undefined && { password }),
    charset: 'utf8mb4',
    dateStrings: true,
    supportBigNumbers: true,
    enableKeepAlive: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // Each length of a list is a statement of its own.
    maxPreparedStatements: 64,
  };
  const ssl = tlsOptions(tls);
  const connection = await mysql
    .createConnection(
      ssl === undefined ? options : { ...options, ssl: { ...ssl, verifyIdentity: ssl.rejectUnauthorized } },
    )
    .catch((error: NodeJS.ErrnoException) => {
      if (tls.mode === 'preferred' && error.code === 'HANDSHAKE_NO_SSL_SUPPORT') return mysql.createConnection(options);
      throw error;
    });
  // What breaks a session between two statements is told by the next.
  connection.on('error', () => {});
  return connection;
}

/** `10.11.19-MariaDB-0+deb12u1`, `8.0.36` */
function serverOf(version: string): string {
  const [number = version] = version.split('-');
  return `${version.includes('MariaDB') ? 'MariaDB' : 'MySQL'} ${number}`;
}

class MysqlSession implements CinderSession {
  readonly dialect = 'mysql';
  readonly server: string;
  readonly #connection: mysql.Connection;
  readonly #address: CinderAddress;
  readonly #doing: string;

  constructor(connection: mysql.Connection, address: CinderAddress, purpose: SessionPurpose, server: string) {
    this.#connection = connection;
    this.#address = address;
    this.#doing = `${purpose === 'read' ? 'Reading' : 'Writing'} ${placeOf(address)}`;
    this.server = server;
  }

  async ask(sql: string, values: readonly unknown[] = []): Promise<readonly RawRow[]> {
    try {
      const [rows] = await this.#connection.execute(sql, values as (string | number)[]);
      return rows as RawRow[];
    } catch (error) {
      throw unreadable(this.#doing, error);
    }
  }

  async columns(): Promise<readonly ColumnFound[]> {
    const rows = await this.ask(
      'SELECT table_name AS t, column_name AS c, data_type AS d FROM information_schema.columns WHERE table_schema = database()',
    );
    return rows.map(({ t, c, d }) => ({ table: String(t), column: String(c), type: String(d) }));
  }

  async mayWrite(tables: readonly string[]): Promise<boolean> {
    const grants = await this.ask('SHOW GRANTS');
    if (grants.some((row) => Object.values(row).some((grant) => letsWrite(String(grant), this.#address.database))))
      return true;
    const [table = ''] = tables;
    for (const change of [`UPDATE ${this.quoted(table)} SET id = id`, `DELETE FROM ${this.quoted(table)}`])
      if (!(await this.#isRefused(`${change} WHERE 1 = 0`))) return true;
    return false;
  }

  async #isRefused(sql: string): Promise<boolean> {
    try {
      await this.#connection.query(sql);
      return false;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ER_TABLEACCESS_DENIED_ERROR' || code === 'ER_COLUMNACCESS_DENIED_ERROR') return true;
      throw unreadable(this.#doing, error);
    }
  }

  quoted(name: string): string {
    return `\`${name}\``;
  }

  isAfter(column: string, key: CinderKey): WhereClause {
    return { sql: `${this.quoted(column)} > ?`, values: [key] };
  }

  isBefore(column: string, key: CinderKey): WhereClause {
    return { sql: `${this.quoted(column)} < ?`, values: [key] };
  }

  prefix(column: string, letters: number): string {
    return `CONVERT(LEFT(${column}, ${letters}) USING utf8mb4) COLLATE utf8mb4_bin`;
  }

  /** By SHA-2: MySQL from 9.6 on has neither `MD5` nor `SHA1`, unless a component of it is installed. */
  digest(columns: readonly string[]): string {
    const row = `CONCAT_WS(',', ${columns.map((column) => `QUOTE(${column})`).join(', ')})`;
    return `CONCAT(COUNT(*), ':', BIT_XOR(CAST(CONV(LEFT(SHA2(${row}, 256), 16), 16, 10) AS UNSIGNED)))`;
  }

  isAmong(column: string, keys: readonly CinderKey[]): WhereClause {
    return { sql: `${this.quoted(column)} IN (${keys.map(() => '?').join(', ')})`, values: keys };
  }

  async close(): Promise<void> {
    // It has changed nothing; the server ends the transaction with the session.
    await this.#connection.end().catch(() => this.#connection.destroy());
  }
}

/** `` GRANT SELECT, INSERT ON `cinder`.* TO … ``, where `%` and `_` of a database's name stand for any letters. */
export function letsWrite(grant: string, database: string): boolean {
  const [, privileges = '', scope = ''] =
    /^GRANT (.+?) ON (?:TABLE )?(`[^`]*`|\*)\.(?:`[^`]*`|\*) TO /.exec(grant) ?? [];
  if (!/\b(ALL PRIVILEGES|INSERT|UPDATE|DELETE)\b/.test(privileges)) return false;
  if (scope === '*') return true;
  const pattern = scope.slice(1, -1).replaceAll(/\\([_%])|[_%]|[.*+?^${}()|[\]\\]/g, (found, literal?: string) => {
    if (literal !== undefined) return literal;
    if (found === '_') return '.';
    return found === '%' ? '.*' : `\\${found}`;
  });
  return new RegExp(`^${pattern}$`).test(database);
}
