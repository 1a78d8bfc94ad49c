/**
 * A large life, where whatever looks at rows that it does not return is felt: lists by status and by name at 100,000 volumes of one
 * project beside 1,000; a start after 1,000,000 ended flows with the database's file not in memory, beside a young one; and the longest
 * time for which the service answers nobody, in a minute of everything that people and their programs ask.
 */
import { spawnSync } from 'node:child_process';
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from './creates.ts';
import { fill } from './fill.ts';
import type { Part } from './part.ts';
import { type Server, type Stop, startServer } from './processes.ts';
import { median, plainTable, quantity, type Result, type Row, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import { startOn } from './startup.ts';
import { PROJECT, path } from './subject.ts';
import { DIALECTS, type Dialect, dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

const MANY = 100_000;
const FEW = 1_000;
const FLOWS = 1_000_000;

export const largeFilters: Part = {
  limit:
    'A list that finds its rows by an index takes as long among many as among few: 1 × is the limit. Who looks into a text, or ' +
    'sorts by what is not indexed, reads every row of the project; SQLite does so in a thread of its own.',
  measure: (world) => onBoth(world, filtersOn),
};

export const largeStops: Part = {
  limit:
    'A process that has nothing to do is stopped by the machine, too: what an idle bare server beside it is. What it works in one turn ' +
    'is its own, and nothing but the units that share a commit has to be done in one.',
  measure: (world) => onBoth(world, stopsOn),
};

export const largeStart: Part = {
  limit: 'A start has to look at the flows that are in flight, and at none that has ended: 1 × is the limit.',
  measure: async (world) => [await startsOn(world)],
};

async function onBoth(world: World, measure: (world: World, dialect: Dialect) => Promise<Row[]>): Promise<Result[]> {
  const results: Result[] = [];
  for (const dialect of ['sqlite', 'postgresql'] as const) {
    const found: Result[] =
      dialect === 'postgresql' && 'missing' in world.postgresql
        ? [{ figure: `a large life, ${DIALECTS[dialect]}`, skipped: world.postgresql.missing }]
        : await measure(world, dialect);
    world.tell(`${DIALECTS[dialect]}\n${plainTable(found)}`);
    results.push(...found);
  }
  return results;
}

/** What pollers and people ask, and how a list by it is wanted: no dearer than twice that of a small project. */
const FILTERS: readonly (readonly [figure: string, query: string, wanted: boolean])[] = [
  ['status, nothing found', 'status=error_extending', true],
  ['status, all found', 'status=available', true],
  ['two statuses', "status=['available','error']", true],
  ['name', 'name=volume-500', true],
  ['name, nothing found', 'name=nothing', true],
  ['sort by name', 'sort=name:asc', true],
  ['a part of a name', 'name~=nothing', false],
  ['metadata that nobody has', "metadata={'purpose':'none'}", false],
  ['host', 'host=elsewhere@file', false],
  ['bootable', 'bootable=true', false],
  ['sort by size', 'sort=size', false],
  ['with_count', 'with_count=true', false],
];
const ASKED = 25;

async function filtersOn(world: World, dialect: Dialect): Promise<Row[]> {
  await using many = await serve(world, await filled(world, dialect, MANY));
  await using few = await serve(world, await filled(world, dialect, FEW));
  const measure = (subject: Subject) => async (): Promise<readonly number[]> => {
    const figures: number[] = [];
    for (const [, query] of FILTERS) figures.push(await subject.answerMs(`/volumes?${query}`));
    return figures;
  };
  await measure(many)();
  await measure(few)();
  const measured = await rounds(world.rounds, { many: measure(many), few: measure(few) }, world.tell);
  return FILTERS.map(([figure, , wanted], index): Row => {
    const [of, beside] = [measured.many, measured.few].map((all) => all.map((figures) => figures[index] ?? 0));
    return {
      figure: `a list by ${figure}, ${MANY.toLocaleString('en')} volumes, ${DIALECTS[dialect]}`,
      measured: quantity(of ?? [], 'ms'),
      beside: { what: `${FEW.toLocaleString('en')} volumes`, quantity: quantity(beside ?? [], 'ms') },
      ratio: ratios(of ?? [], beside ?? []),
      ...(wanted && { wanted: { of: 'ratio', atMost: 2 } }),
    };
  });
}

/** Asked again and again by one client each, who waits for an answer, and then for a moment: a service that is flooded stops for that alone. */
const LOAD: readonly string[] = [
  '/volumes?status=creating',
  '/volumes/detail?name=volume-77',
  '/volumes?name~=olume-99',
  "/volumes?metadata={'purpose':'none'}",
  '/volumes?sort=size',
  '/volumes/detail?sort=name:asc&limit=1000',
  '/volumes?with_count=true',
  '/volumes/summary',
];
const LOAD_MS = 60_000;
const BETWEEN_MS = 100;

async function stopsOn(world: World, dialect: Dialect): Promise<Row[]> {
  const full = await filled(world, dialect, MANY);
  const round = async (): Promise<readonly Stop[]> => {
    await using subject = await serve(world, await newDatabase(world, dialect, full));
    // What the machine does to a process that has nothing to do.
    const bare = await startServer('bare.ts', [subject.server.address, path('/volumes?limit=1'), path('/limits')]);
    await subject.create();
    for (const what of LOAD) await subject.answerMs(what);
    const watched = [subject.server, bare];
    for (const server of watched) await server.watched();
    const until = performance.now() + LOAD_MS / world.haste;
    const again = async (request: () => Promise<unknown>): Promise<void> => {
      for (; performance.now() < until; await delay(BETWEEN_MS)) await request();
    };
    await Promise.all([...LOAD.map((what) => again(() => subject.get(what))), again(() => subject.create())]);
    const stops = await Promise.all(watched.map((server) => server.watched()));
    await bare.stop();
    return stops.map(({ stop }) => stop);
  };
  const { stops } = await rounds(Math.min(world.rounds, 3), { stops: round }, world.tell);
  await dropDatabase(world, full);
  const of = (server: 0 | 1, what: keyof Stop): number[] => stops.map((each) => each[server]?.[what] ?? 0);
  const where = `mixed load, ${MANY.toLocaleString('en')} volumes, ${DIALECTS[dialect]}`;
  return [
    {
      figure: `longest stop of the event loop, ${where}`,
      measured: quantity(of(0, 'ms'), 'ms'),
      beside: { what: 'idle bare node:http', quantity: quantity(of(1, 'ms'), 'ms'), isLimit: true },
      ratio: ratios(of(0, 'ms'), of(1, 'ms')),
      wanted: { of: 'measured', atMost: 20 },
    },
    {
      figure: `CPU of the longest turn, ${where}`,
      measured: quantity(of(0, 'cpuMs'), 'ms'),
      wanted: { of: 'measured', atMost: 20 },
    },
  ];
}

async function startsOn(world: World): Promise<Row> {
  world.tell('filling a database with ended flows');
  const old = await newDatabase(world, 'sqlite');
  await fill(old, { volumes: 1_000, flows: FLOWS / world.haste });
  const young = await newDatabase(world, 'sqlite');
  await fill(young, { volumes: 1_000, flows: 0 });
  const start = (database: string) => async (): Promise<number> => {
    forgetPages(database);
    return (await startOn(world, database)).seconds;
  };
  await start(young)();
  const measured = await rounds(world.rounds, { old: start(old), young: start(young) }, world.tell);
  for (const database of [old, young]) await dropDatabase(world, database);
  return {
    figure: `start after ${(FLOWS / world.haste).toLocaleString('en')} ended flows, file not in memory, ${DIALECTS.sqlite}`,
    measured: quantity(measured.old, 's'),
    beside: { what: 'young database', quantity: quantity(measured.young, 's'), isLimit: true },
    ratio: ratios(measured.old, measured.young),
    wanted: { of: 'ratio', atMost: 1.2 },
  };
}

/** The kernel keeps nothing of the file in memory, which everybody may ask of it for a file of his own. */
function forgetPages(database: string): void {
  const file = database.slice('sqlite:'.length);
  const { status, stderr } = spawnSync('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`dd does not drop the pages of ${file}: ${stderr}`);
}

interface Subject extends AsyncDisposable {
  readonly server: Server;
  get(what: string): Promise<unknown>;
  create(): Promise<unknown>;
  /** The median of some answers, none of which is kept from before. */
  answerMs(what: string): Promise<number>;
}

async function filled(world: World, dialect: Dialect, volumes: number): Promise<string> {
  world.tell(`filling a database of ${DIALECTS[dialect]} with ${volumes.toLocaleString('en')} volumes`);
  const database = await newDatabase(world, dialect);
  await fill(database, { volumes, flows: 0 });
  return database;
}

/** Drops the database in the end. */
async function serve(world: World, database: string): Promise<Subject> {
  const server = await startServer('service.ts', [database, newDirectory(world)]);
  const agent = new Agent({ keepAlive: true });
  let asked = 0;
  // Pages of many sizes, as they are asked for.
  const get = (what: string): Promise<unknown> => {
    asked += 1;
    const limit = what.includes('limit=') ? '' : `&limit=${10 + (asked % 50)}`;
    const url = `${server.address}${path(what)}${what.includes('?') ? '' : '?'}${limit}`;
    return ask(agent, 'GET', encodeURI(url));
  };
  // After any commit an answer that was kept is none.
  let changes = 0;
  const change = (): Promise<unknown> => {
    changes += 1;
    const quota = JSON.stringify({ quota_set: { snapshots: changes } });
    return ask(agent, 'PUT', `${server.address}${path(`/os-quota-sets/${PROJECT}`)}`, quota);
  };
  return {
    server,
    get,
    create: () => ask(agent, 'POST', `${server.address}${path('/volumes')}`, '{"volume":{"size":1,"name":"a volume"}}'),
    answerMs: async (what) => {
      const times: number[] = [];
      for (let time = 0; time < Math.ceil(ASKED / world.haste); time += 1) {
        await change();
        const begun = performance.now();
        await get(what);
        times.push(performance.now() - begun);
      }
      return median(times);
    },
    [Symbol.asyncDispose]: async () => {
      agent.destroy();
      await server.stop();
      await dropDatabase(world, database);
    },
  };
}
