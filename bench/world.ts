/**
 * What a run measures on: a directory on a disk, a PostgreSQL of its own that syncs, and databases in both. All of it goes
 * when the process ends, and what a killed run left goes when the next one begins.
 */
import { randomInt } from 'node:crypto';
import {
  constants,
  copyFileSync,
  fdatasyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type NoServer, startPostgresql, type TestServer } from '../test/postgresql-server.ts';
import { removeAbandoned } from '../test/scratch.ts';
import { type Build, unpack } from './build.ts';
import { median } from './report.ts';

export type Dialect = 'sqlite' | 'postgresql';
export const DIALECTS = { sqlite: 'SQLite FULL', postgresql: 'PostgreSQL' } as const;

export interface World {
  readonly rounds: number;
  /** Numbers of operations are divided by this. */
  readonly haste: number;
  readonly tell: (text: string) => void;
  readonly directory: string;
  /** Another revision, to be measured beside this one. */
  readonly other: Build | undefined;
  readonly postgresql: TestServer | NoServer;
  /** A number no other call has given. */
  next(): number;
}

export interface WorldOptions {
  readonly quick: boolean;
  readonly rounds: number | undefined;
  readonly tell: (text: string) => void;
  /** A revision that git knows. */
  readonly beside: string | undefined;
}

const NAME = /^pumice-bench-(\d+)-/;

export async function openWorld({ quick, rounds, tell, beside }: WorldOptions): Promise<World> {
  const disk = diskDirectory();
  await removeAbandoned(NAME, disk);
  const directory = mkdtempSync(join(disk, `pumice-bench-${process.pid}-`));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  let given = 0;
  return {
    rounds: rounds ?? (quick ? 2 : 5),
    haste: quick ? 5 : 1,
    tell,
    directory,
    other: beside === undefined ? undefined : unpack(beside, join(directory, 'other')),
    postgresql: await startPostgresql({ directory: disk, durable: true }),
    next: () => {
      given += 1;
      return given;
    },
  };
}

/** Where a sync is one: many machines keep /tmp in memory. */
function diskDirectory(): string {
  const MEMORY = [0x01021994, 0x858458f6];
  const disk = [tmpdir(), '/var/tmp', process.cwd()].find((path) => !MEMORY.includes(statfsSync(path).type));
  if (disk === undefined) throw new Error('Every directory here is in memory; set TMPDIR to one on a disk.');
  return disk;
}

/** Milliseconds that the disk takes to make one page durable. */
export function syncMs({ directory }: World): number {
  const file = openSync(join(directory, 'sync'), 'w');
  const page = Buffer.alloc(4096);
  const times = Array.from({ length: 50 }, () => {
    const begun = performance.now();
    writeSync(file, page);
    fdatasyncSync(file);
    return performance.now() - begun;
  });
  return median(times);
}

export function newDirectory(world: World): string {
  const directory = join(world.directory, `data-${world.next()}`);
  mkdirSync(directory);
  return directory;
}

/** A database nothing is in, or a copy of another to which nobody is connected. */
export async function newDatabase(world: World, dialect: Dialect, like?: string): Promise<string> {
  if (dialect === 'sqlite') {
    const path = join(newDirectory(world), 'pumice.sqlite');
    if (like !== undefined) copyFileSync(like.slice('sqlite:'.length), path, constants.COPYFILE_FICLONE);
    return `sqlite:${path}`;
  }
  const name = `bench_${world.next()}_${randomInt(1e9)}`;
  const template = like === undefined ? '' : ` TEMPLATE ${new URL(like).pathname.slice(1)}`;
  await query(serverUrl(world, 'postgres'), `CREATE DATABASE ${name}${template}`);
  return serverUrl(world, name);
}

/** The disk need not hold what was measured already. */
export async function dropDatabase(world: World, url: string): Promise<void> {
  if (url.startsWith('sqlite:')) rmSync(join(url.slice('sqlite:'.length), '..'), { recursive: true });
  else await query(serverUrl(world, 'postgres'), `DROP DATABASE ${new URL(url).pathname.slice(1)} WITH (FORCE)`);
}

export async function postgresqlVersion(world: World): Promise<string> {
  if ('missing' in world.postgresql) return world.postgresql.missing;
  const [row] = await query(serverUrl(world, 'postgres'), 'SHOW server_version');
  return String(row?.server_version);
}

export async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

function serverUrl({ postgresql }: World, database: string): string {
  if ('missing' in postgresql) throw new Error(postgresql.missing);
  const url = new URL(postgresql.url);
  url.pathname = `/${database}`;
  return url.href;
}
