/**
 * What a read costs: the CPU of the server's process for a list of 1,000 volumes in detail, and for one volume, beside a bare
 * `node:http` server that sends the same prepared bytes. The load comes from a third process.
 */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { fill } from './fill.ts';
import { result, type Server, startServer } from './processes.ts';
import { quantity, type Result, type Row, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import { HEADERS, path } from './subject.ts';
import { DIALECTS, dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

const CONNECTIONS = 8;
const LIST = path('/volumes/detail?limit=1000');
const LISTS = 400;
const GETS = 20_000;

interface ReadFigures {
  readonly listMs: number;
  readonly getMs: number;
}

export async function reads(world: World): Promise<Result[]> {
  const database = await newDatabase(world, 'sqlite');
  await fill(database, { volumes: 1_000, flows: 0 });
  const subject = await startReads(world, database);
  const bare = await startServer('bare.ts', [subject.server.address, LIST, subject.one]);
  const ours = () => readsOf(world, subject.server, subject.one);
  const theirs = () => readsOf(world, bare, subject.one);
  world.tell('warming up');
  await ours();
  await theirs();
  const measured = await rounds(world.rounds, { ours, theirs }, world.tell);
  await bare.stop();
  await subject.server.stop();
  await dropDatabase(world, database);
  const row = (figure: string, key: keyof ReadFigures, unit: string, scale: number): Row => {
    const [mine, other] = [measured.ours, measured.theirs].map((figures) => figures.map((each) => each[key] * scale));
    return {
      figure,
      measured: quantity(mine ?? [], unit),
      beside: { what: 'bare node:http', quantity: quantity(other ?? [], unit) },
      ratio: ratios(mine ?? [], other ?? []),
      wanted: { of: 'ratio', atMost: 1.5 },
    };
  };
  return [
    row(`CPU of a list of 1,000 volumes in detail, ${DIALECTS.sqlite}`, 'listMs', 'ms', 1),
    row(`CPU of a get of one volume, ${DIALECTS.sqlite}`, 'getMs', 'µs', 1000),
  ];
}

interface ReadSubject extends AsyncDisposable {
  readonly server: Server;
  /** The path of one volume. */
  readonly one: string;
}

/** A service on a database with 1,000 volumes or more. */
export async function startReads(world: World, database: string): Promise<ReadSubject> {
  const server = await startServer('service.ts', [database, newDirectory(world)]);
  const answer = await fetch(`${server.address}${LIST}`, { headers: HEADERS });
  const { volumes } = (await answer.json()) as { volumes: readonly { readonly id: string }[] };
  assert.equal(volumes.length, 1_000);
  return {
    server,
    one: path(`/volumes/${volumes[500]?.id}`),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** CPU milliseconds a request. */
export async function readsOf(world: World, server: Server, one: string): Promise<ReadFigures> {
  return {
    listMs: await cpuOfEach(server, LIST, LISTS / world.haste),
    getMs: await cpuOfEach(server, one, GETS / world.haste),
  };
}

async function cpuOfEach(server: Server, what: string, amount: number): Promise<number> {
  const before = await server.usage();
  await load(`${server.address}${what}`, amount);
  return ((await server.usage()).cpuMs - before.cpuMs) / amount;
}

interface Load {
  readonly errors: number;
  readonly non2xx: number;
  readonly '2xx': number;
}

async function load(url: string, amount: number): Promise<void> {
  const autocannon = fileURLToPath(import.meta.resolve('autocannon'));
  const headers = Object.entries(HEADERS).flatMap(([name, value]) => ['-H', `${name}=${value}`]);
  const options = ['--json', '--no-progress', '-c', String(CONNECTIONS), '-a', String(amount), ...headers];
  const told = await result<Load>(process.execPath, [autocannon, ...options, url]);
  assert.deepEqual([told['2xx'], told.non2xx, told.errors], [amount, 0, 0], `${url} was not answered`);
}
