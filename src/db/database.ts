/**
 * The database of a process: its readers, its writer, and the hosts it owns.
 *
 * `sqlite:<path>` (or a bare path) or `postgresql://…`. A server opens it as `server`: the schema is brought forward, and on
 * SQLite no second server is let in. A tool opens it as `tool`, beside a running server or without one.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Connection, ConnectionLost, type Dialect } from './sql/connection.ts';
import { Db, queriesOver, type Readers } from './sql/db.ts';
import { migrate, requireLatestSchema } from './sql/migrate.ts';
import { OWNER_NAME, type Ownership, SessionOwnership, SoleOwnership } from './sql/ownership.ts';
import { openSqliteReader, openSqliteWriter } from './sql/sqlite.ts';
import { lockDatabase } from './sql/sqlite-lock.ts';
import { SqliteSearch } from './sql/sqlite-search.ts';
import { SqliteTransactor } from './sql/sqlite-transactor.ts';
import type { BatchHandler, ReadAhead, Unit } from './sql/tx.ts';
import { Writer, WriterClosed, type WriterOptions, type WriterStats } from './sql/writer.ts';

export interface Database extends Readers {
  readonly read: Db;
  readonly dialect: Dialect;
  /** The connection under `read`, for statements written by hand. */
  readonly reader: Connection;
  readonly stats: WriterStats;
  readonly ownership: Ownership;
  /** One unit in the next transaction (`sql/writer.ts`). */
  write<T>(unit: Unit<T>, ahead?: readonly ReadAhead[]): Promise<T>;
  /** The same for what may be lost with the machine, though not with the process, and is done again then: on SQLite nobody waits for a disk (`sql/writer.ts`). */
  writeUnsynced<T>(unit: Unit<T>): Promise<T>;
  /** Entries of one turn through one call of the handler (`sql/writer.ts`). */
  batch<E, R>(handler: BatchHandler<E, R>): (entry: E) => Promise<R>;
  /** The database is lost: nothing is tried again, so that a process can end that waits for it. */
  giveUp(): void;
  close(): Promise<void>;
}

export interface DatabaseOptions extends WriterOptions {
  readonly as: 'server' | 'tool';
  /** Connections that read, at most (PostgreSQL). Default 10. */
  readonly readers?: number;
  /** How long a commit whose answer was lost is asked about. Default 60,000. */
  readonly doubtMs?: number;
  readonly signal?: AbortSignal;
  /** For whoever fills the whole of it and can begin again where a power cut left it (SQLite; `sql/sqlite.ts`). */
  readonly bulk?: boolean;
  /** An older schema is brought forward from here on (`sql/migrate.ts`). */
  migrating?(names: readonly string[]): void;
}

export function openDatabase(url: string, options: DatabaseOptions): Promise<Database> {
  return /^postgres(ql)?:\/\//.test(url) ? openPostgresql(url, options) : openSqlite(sqlitePath(url), options);
}

/** The path in `sqlite:path`, `sqlite:///absolute/path` or a bare path. */
export function sqlitePath(url: string): string {
  return url.replace(/^sqlite:(\/\/)?/, '');
}

async function openSqlite(path: string, options: DatabaseOptions): Promise<Database> {
  const closers: (() => unknown)[] = [];
  try {
    if (options.as === 'server') {
      mkdirSync(dirname(path), { recursive: true });
      const lock = lockDatabase(path);
      closers.push(() => lock.release());
    }
    const signal = options.signal ?? new AbortController().signal;
    const file = await openSqliteWriter(path, options.as === 'server', signal, options.bulk);
    closers.push(() => file.close());
    const writer = new Writer(new SqliteTransactor(file), options);
    closers.push(() => writer.close());
    // Closed before the writer: the last connection to close moves the log into the file, and one that only reads cannot.
    const reader = openSqliteReader(path);
    closers.push(() => reader.close());
    const search = new SqliteSearch(path);
    closers.push(() => search.close());
    await prepare(writer, options);
    const readers = { read: new Db(reader), search: queriesOver(search) };
    return await finish(reader, readers, writer, new SoleOwnership(), options, closers);
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

async function openPostgresql(url: string, options: DatabaseOptions): Promise<Database> {
  // Loaded by those who use them: a service on SQLite starts quicker and is smaller without.
  const { PostgresqlPool, PostgresqlSession } = await import('./sql/postgresql.ts');
  const { PostgresqlTransactor } = await import('./sql/postgresql-transactor.ts');
  const closers: (() => unknown)[] = [];
  try {
    // Opened first: an address or a password that is wrong is told at once, where the writer would try for long.
    const ownership = new SessionOwnership(await PostgresqlSession.open(url, OWNER_NAME));
    closers.push(() => ownership.close());
    const reader = new PostgresqlPool(url, options.readers ?? 10);
    closers.push(() => reader.close());
    const writer = new Writer(new PostgresqlTransactor(url, options.doubtMs ?? 60_000), options);
    closers.push(() => writer.close());
    await prepare(writer, options);
    const read = new Db(reader);
    return await finish(reader, { read, search: read }, writer, ownership, options, closers);
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

async function prepare(writer: Writer, options: DatabaseOptions): Promise<void> {
  if (options.as === 'server') await writer.write((tx) => migrate(tx, options.migrating));
}

async function finish(
  reader: Connection,
  readers: Pick<Database, 'read' | 'search'>,
  writer: Writer,
  ownership: Ownership,
  options: DatabaseOptions,
  closers: (() => unknown)[],
): Promise<Database> {
  if (options.as === 'tool') await requireLatestSchema(readers.read);
  let closed: Promise<void> | undefined;
  return {
    ...readers,
    dialect: reader.dialect,
    reader,
    ownership,
    get stats() {
      return writer.stats;
    },
    write: (unit, ahead) => writer.write(unit, ahead),
    writeUnsynced: (unit) => writer.writeUnsynced(unit),
    batch: (handler) => writer.batch(handler),
    giveUp: () => writer.giveUp(new ConnectionLost('The database was lost.')),
    close: () => {
      writer.giveUp(new WriterClosed());
      closed ??= closeAll(closers);
      return closed;
    },
  };
}

/** Last opened, first closed. */
async function closeAll(closers: readonly (() => unknown)[]): Promise<void> {
  for (const close of closers.toReversed()) await close();
}
