/**
 * A fresh service for a test of the API: a database of its own, a file backend in a directory of its own, no socket.
 *
 * At rest (the default) it takes requests and runs no flow, so that what a request has written stays as it was written. Running, it does
 * all that a server does. It is closed, and its files are removed, when the test ends.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../../src/lib/clock.ts';
import type { Config } from '../../src/lib/config/config.ts';
import { parseConfig } from '../../src/lib/config/read-config.ts';
import { createLog, type Log } from '../../src/lib/logging.ts';
import type { NewSnapshot, Snapshot } from '../../src/model/snapshot.ts';
import type { NewVolume, Volume } from '../../src/model/volume.ts';
import { type PumiceService, wire } from '../../src/wiring.ts';
import { type FreshDatabase, freshPostgresql, freshSqlite } from '../databases.ts';
import { makeSnapshot, makeVolume } from '../db/rows.ts';
import { fitsDescription } from './own-answer.ts';

export const PROJECT = '0123456789abcdef0123456789abcdef';
export const USER = 'fedcba9876543210fedcba9876543210';

export interface Asked {
  /** `3.NN` or `latest`; none when absent. */
  readonly version?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Without a token when null. Default: the project of the tests. */
  readonly project?: string | null;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number | string[] | undefined>>;
  readonly text: string;
  /** The text as JSON; undefined when it is empty or none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
  readonly body: any;
}

export interface World {
  readonly service: PumiceService;
  readonly config: Config;
  /** `path` below `/v3/{project}`, or from the root when it begins with `//`. */
  ask(method: string, path: string, asked?: Asked): Promise<Answer>;
  /** The same, for an answer that must have this status. */
  get(path: string, asked?: Asked): Promise<Answer>;
  volume(given?: Partial<NewVolume>): Promise<Volume>;
  snapshot(volume: Volume, given?: Partial<NewSnapshot>): Promise<Snapshot>;
}

export interface WorldOptions {
  readonly running?: boolean;
  /** `section.key=value` */
  readonly set?: readonly string[];
  readonly log?: Log;
  readonly clock?: Clock;
  /** Removed when the test ends. Default: a fresh one on SQLite. */
  readonly database?: FreshDatabase;
}

/** One test on each database. Skipped, with the reason, where there is no PostgreSQL. */
export function onBoth(name: string, body: (context: TestContext, database: FreshDatabase) => Promise<void>): void {
  it(`${name}, on SQLite`, async (context) => body(context, await freshSqlite()));
  it(`${name}, on PostgreSQL`, async (context) => {
    const database = await freshPostgresql();
    if ('missing' in database) return context.skip(`PostgreSQL: ${database.missing}`);
    await body(context, database);
  });
}

/** A request may change the level of the log, so each world has its own. */
const NOWHERE = { write: (): void => undefined };

export async function freshWorld(
  context: TestContext,
  { running = false, set = [], log = createLog({ level: 'silent', to: NOWHERE }), clock, ...given }: WorldOptions = {},
): Promise<World> {
  const database = given.database ?? (await freshSqlite());
  const directory = await mkdtemp(join(tmpdir(), `pumice-api-${process.pid}-`));
  const config = parseConfig({
    directory,
    set: [`data_directory=${directory}`, 'node_name=node', `database.url=${database.url}`, ...set],
  });
  const service = await wire(config, log, { ...(clock && { clock }) });
  context.after(async () => {
    await service.stop();
    await database.remove();
    await rm(directory, { recursive: true, force: true });
  });
  if (running) await service.start();

  const ask: World['ask'] = async (method, path, { version, body, headers = {}, project = PROJECT } = {}) => {
    const response = await service.api.inject({
      method: method as 'GET',
      url: path.startsWith('//') ? path.slice(1) : `/v3/${project ?? PROJECT}${path}`,
      headers: {
        host: 'pumice.test:8776',
        ...(project !== null && { 'x-auth-token': `${USER}:${project}` }),
        ...(version !== undefined && { 'openstack-api-version': `volume ${version}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const isJson = String(response.headers['content-type']).startsWith('application/json') && response.body !== '';
    const answered = isJson ? JSON.parse(response.body) : undefined;
    if (response.statusCode < 300 && path.startsWith('//')) fitsDescription(method, path.slice(1), body, answered);
    return { status: response.statusCode, headers: response.headers, text: response.body, body: answered };
  };

  return {
    service,
    config,
    ask,
    async get(path, asked) {
      const answer = await ask('GET', path, asked);
      assert.equal(answer.status, 200, `GET ${path}: ${answer.text}`);
      return answer;
    },
    volume: (given = {}) => makeVolume(service.db, { projectId: PROJECT, userId: USER, ...given }),
    snapshot: (volume, given = {}) => makeSnapshot(service.db, volume, given),
  };
}

/** Asks until the answer is as wanted; fails with the last answer when it never is. */
export async function until(ask: () => Promise<Answer>, wanted: (answer: Answer) => boolean): Promise<Answer> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (performance.now() > deadline)
      assert.fail(`It never came to be; the last answer was ${answer.status}: ${answer.text}`);
    await pause(10);
  }
}

const SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
const POSTGRESQL_TABLES = "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename";

/** Every row of every table. */
export async function dump({
  service,
}: {
  readonly service: Pick<World['service'], 'db'>;
}): Promise<Readonly<Record<string, readonly unknown[]>>> {
  const { reader } = service.db;
  const tables = await reader.query<{ name: string }>(reader.dialect === 'sqlite' ? SQLITE_TABLES : POSTGRESQL_TABLES);
  const rows: Record<string, readonly unknown[]> = {};
  // PostgreSQL has no order of its own to rely on.
  for (const { name } of tables) rows[name] = await reader.query(`SELECT * FROM "${name}" ORDER BY 1, 2`);
  return rows;
}
