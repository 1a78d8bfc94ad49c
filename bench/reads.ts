/**
 * What a read costs: the CPU of the server's process for a list of 1,000 volumes in detail, and for one volume, beside a bare
 * `node:http` server that sends the same prepared bytes. The load comes from a third process. It is measured a second time with
 * callers who show a token of Pumice's own, which it has seen before, beside a peer, too, that does for such a get no more than is
 * promised; and on PostgreSQL, beside SQLite. With `--beside` another build too.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Build, THIS_BUILD } from './build.ts';
import { fill } from './fill.ts';
import type { Part } from './part.ts';
import { result, type Server, startServer } from './processes.ts';
import { quantity, type Result, type Row, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import { HEADERS, type Headers, type Identity, path, signedIn } from './subject.ts';
import { DIALECTS, dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

const CONNECTIONS = 8;
const LIST = path('/volumes/detail?limit=1000');
const LISTS = 400;
const GETS = 20_000;

interface ReadFigures {
  readonly listMs: number;
  readonly getMs: number;
}

export const reads: Part = {
  limit:
    'A read that nothing has changed cannot take less than its request and answer over a socket, which the bare ' +
    'server takes; what is promised of each answer (who asks, whether anybody has committed, an id) is measured ' +
    'as a least of its own. On PostgreSQL the question whether anybody has committed is a journey, which the ' +
    'requests of one turn share.',
  measure: measureReads,
};

async function measureReads(world: World): Promise<Result[]> {
  const others = world.other === undefined ? [] : await besideOther(world, world.other);
  return [...(await besideBare(world)), ...(await besideSqlite(world)), ...others];
}

async function besideBare(world: World): Promise<Result[]> {
  const database = await newDatabase(world, 'sqlite');
  await fill(database, { volumes: 1_000, flows: 0 });
  const other = await newDatabase(world, 'sqlite', database);
  const subject = await startReads(world, database);
  const strict = await startReads(world, other, 'local');
  const bare = await startServer('bare.ts', [subject.server.address, LIST, subject.one]);
  const file = database.slice('sqlite:'.length);
  const promised = await startServer('bare-promised.ts', [subject.server.address, file, LIST, subject.one]);
  const ours = () => readsOf(world, subject);
  const least = () => readsOf(world, { ...subject, server: promised });
  const known = () => readsOf(world, strict);
  const theirs = () => readsOf(world, { ...subject, server: bare });
  world.tell('warming up');
  await ours();
  await known();
  await theirs();
  await least();
  const measured = await rounds(world.rounds, { ours, known, theirs, least }, world.tell);
  await promised.stop();
  await bare.stop();
  await subject.server.stop();
  await strict.server.stop();
  await dropDatabase(world, database);
  await dropDatabase(world, other);
  const row = rowOf(measured.theirs, 'bare node:http', true);
  return [
    row(`CPU of a list of 1,000 volumes in detail, ${DIALECTS.sqlite}`, measured.ours, 'listMs', 1.5),
    row(`CPU of a get of one volume, ${DIALECTS.sqlite}`, measured.ours, 'getMs', 1.5),
    row(`The list with a token, ${DIALECTS.sqlite}`, measured.known, 'listMs', 1.5),
    row(`The get with a token, ${DIALECTS.sqlite}`, measured.known, 'getMs', 1.3),
    row(`The least that keeps what is promised of it, ${DIALECTS.sqlite}`, measured.least, 'getMs'),
    rowOf(measured.least, 'that least', true)(`The get with a token, ${DIALECTS.sqlite}`, measured.known, 'getMs'),
  ];
}

async function besideSqlite(world: World): Promise<Result[]> {
  const list = `CPU of a list of 1,000 volumes in detail, ${DIALECTS.postgresql}`;
  const get = `CPU of a get of one volume, ${DIALECTS.postgresql}`;
  const { postgresql } = world;
  if ('missing' in postgresql) return [list, get].map((figure) => ({ figure, skipped: postgresql.missing }));
  const databases = [await newDatabase(world, 'postgresql'), await newDatabase(world, 'sqlite')] as const;
  for (const database of databases) await fill(database, { volumes: 1_000, flows: 0 });
  const measured = await besideEachOther(
    world,
    await startReads(world, databases[0]),
    await startReads(world, databases[1]),
  );
  for (const database of databases) await dropDatabase(world, database);
  const row = rowOf(measured.theirs, DIALECTS.sqlite);
  return [row(list, measured.ours, 'listMs', 1.5), row(get, measured.ours, 'getMs', 2.2)];
}

/** Ends both. */
async function besideEachOther(world: World, mine: ReadSubject, other: ReadSubject) {
  const [ours, theirs] = [mine, other].map((subject) => () => readsOf(world, subject)) as [Read, Read];
  world.tell('warming up');
  await ours();
  await theirs();
  const measured = await rounds(world.rounds, { ours, theirs }, world.tell);
  for (const { server } of [mine, other]) await server.stop();
  return measured;
}

type Read = () => Promise<ReadFigures>;

/** The other build fills a database of its own: its schema may be an older one. */
async function besideOther(world: World, other: Build): Promise<Result[]> {
  const results: Result[] = [];
  for (const dialect of ['sqlite', 'postgresql'] as const) {
    if (dialect === 'postgresql' && 'missing' in world.postgresql) continue;
    const databases = [await newDatabase(world, dialect), await newDatabase(world, dialect)] as const;
    await fill(databases[0], { volumes: 1_000, flows: 0 });
    await fillBy(other, databases[1]);
    const far = await startReads(world, databases[1], 'noauth', other);
    const measured = await besideEachOther(world, await startReads(world, databases[0]), far);
    for (const database of databases) await dropDatabase(world, database);
    const row = rowOf(measured.theirs, other.name);
    results.push(row(`CPU of a list of 1,000 volumes in detail, ${DIALECTS[dialect]}`, measured.ours, 'listMs', 1.03));
    results.push(row(`CPU of a get of one volume, ${DIALECTS[dialect]}`, measured.ours, 'getMs', 1.03));
  }
  return results;
}

async function fillBy({ root }: Build, database: string): Promise<void> {
  const module = pathToFileURL(join(root, 'bench/fill.ts')).href;
  const code = `await (await import('${module}')).fill('${database}', { volumes: 1000, flows: 0 }); console.log('{}')`;
  await result(process.execPath, ['--input-type=module', '-e', code]);
}

/** Rows beside the same peer. */
const rowOf =
  (theirs: readonly ReadFigures[], what: string, isLimit?: true) =>
  (figure: string, ours: readonly ReadFigures[], key: keyof ReadFigures, atMost?: number): Row => {
    const [unit, scale] = key === 'listMs' ? ['ms', 1] : ['µs', 1000];
    const [mine, beside] = [ours, theirs].map((figures) => figures.map((each) => each[key] * scale));
    return {
      figure,
      measured: quantity(mine ?? [], unit),
      beside: { what, quantity: quantity(beside ?? [], unit), ...(isLimit && { isLimit }) },
      ratio: ratios(mine ?? [], beside ?? []),
      ...(atMost !== undefined && { wanted: { of: 'ratio', atMost } }),
    };
  };

interface ReadSubject extends AsyncDisposable {
  readonly server: Server;
  readonly headers: Headers;
  /** The path of one volume. */
  readonly one: string;
}

/** A service on a database with 1,000 volumes or more. */
export async function startReads(
  world: World,
  database: string,
  identity: Identity = 'noauth',
  { root }: Build = THIS_BUILD,
): Promise<ReadSubject> {
  const server = await startServer('service.ts', [database, newDirectory(world), identity], root);
  const headers = identity === 'local' ? await signedIn(server.address) : HEADERS;
  const answer = await fetch(`${server.address}${LIST}`, { headers });
  const { volumes } = (await answer.json()) as { volumes: readonly { readonly id: string }[] };
  assert.equal(volumes.length, 1_000);
  return {
    server,
    headers,
    one: path(`/volumes/${volumes[500]?.id}`),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** CPU milliseconds a request. */
export async function readsOf(world: World, subject: Omit<ReadSubject, keyof AsyncDisposable>): Promise<ReadFigures> {
  return {
    listMs: await cpuOfEach(subject, LIST, LISTS / world.haste),
    getMs: await cpuOfEach(subject, subject.one, GETS / world.haste),
  };
}

async function cpuOfEach(
  { server, headers }: Pick<ReadSubject, 'server' | 'headers'>,
  what: string,
  amount: number,
): Promise<number> {
  const before = await server.usage();
  await load(`${server.address}${what}`, headers, amount);
  return ((await server.usage()).cpuMs - before.cpuMs) / amount;
}

interface Load {
  readonly errors: number;
  readonly non2xx: number;
  readonly '2xx': number;
}

async function load(url: string, sent: Headers, amount: number): Promise<void> {
  const autocannon = fileURLToPath(import.meta.resolve('autocannon'));
  const headers = Object.entries(sent).flatMap(([name, value]) => ['-H', `${name}=${value}`]);
  const options = ['--json', '--no-progress', '-c', String(CONNECTIONS), '-a', String(amount), ...headers];
  const told = await result<Load>(process.execPath, [autocannon, ...options, url]);
  assert.deepEqual([told['2xx'], told.non2xx, told.errors], [amount, 0, 0], `${url} was not answered`);
}
