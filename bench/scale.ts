/**
 * Whether a long life shows: each figure in a database with 10,000 volumes and 100,000 ended flows, beside the same figure in a
 * young one (1,000 volumes, so that there is a list to ask for, and no flow). None may differ by more than a fifth for the worse.
 */
import { createsIn } from './creates.ts';
import { fill } from './fill.ts';
import { flowsIn } from './flows.ts';
import type { Part } from './part.ts';
import { readsOf, startReads } from './reads.ts';
import { quantity, type Result, type Row, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import { startOn } from './startup.ts';
import { DIALECTS, type Dialect, dropDatabase, newDatabase, type World } from './world.ts';

const YOUNG = { volumes: 1_000, flows: 0 };
const OLD = { volumes: 10_000, flows: 100_000 };

/** What is measured of a database, and in which unit; a rate is better when it is more, the rest when it is less. */
const FIGURES = {
  flowsPerSecond: ['durable flows of six tasks, 50 in flight', '/s'],
  flowCpuMs: ['CPU of such a flow', 'ms'],
  flowLatencyMs: ['latency of one such flow', 'ms'],
  acceptedPerSecond: ['POST /volumes accepted, 10 clients', '/s'],
  availableSeconds: ['time until 200 volumes are available', 's'],
  createCpuMs: ['CPU of a create and its flow', 'ms'],
  commitsAlone: ['durable commits a create, alone', ''],
  listMs: ['CPU of a list of 1,000 volumes in detail', 'ms'],
  getMs: ['CPU of a get of one volume', 'ms'],
  startSeconds: ['start to first answer', 's'],
  idleMegabytes: ['idle memory', 'MB'],
} as const;

type Figures = { readonly [figure in keyof typeof FIGURES]: number };

export const scale: Part = {
  limit: '1 ×: a young database has the same work, and nothing that is old is looked at.',
  measure: measureScale,
};

async function measureScale(world: World): Promise<Result[]> {
  const results: Result[] = [];
  for (const dialect of ['sqlite', 'postgresql'] as const) {
    if (dialect === 'postgresql' && 'missing' in world.postgresql)
      results.push({ figure: `a long life, ${DIALECTS[dialect]}`, skipped: world.postgresql.missing });
    else results.push(...(await scaleOn(world, dialect)));
  }
  return results;
}

async function scaleOn(world: World, dialect: Dialect): Promise<Result[]> {
  world.tell(`filling databases of ${DIALECTS[dialect]}`);
  const [youngest, oldest] = await Promise.all([YOUNG, OLD].map((amounts) => filled(world, dialect, amounts)));
  const young = () => figuresIn(world, dialect, youngest ?? '');
  const old = () => figuresIn(world, dialect, oldest ?? '');
  // Each is a minute of work or more, and its parts are medians of many already.
  const measured = await rounds(Math.min(world.rounds, 3), { young, old }, world.tell);
  for (const database of [youngest, oldest]) await dropDatabase(world, database ?? '');
  return (Object.keys(FIGURES) as (keyof Figures)[]).map((key): Row => {
    const [figure, unit] = FIGURES[key];
    const [aged, fresh] = [measured.old, measured.young].map((figures) => figures.map((each) => each[key]));
    return {
      figure: `a long life: ${figure}, ${DIALECTS[dialect]}`,
      measured: quantity(aged ?? [], unit),
      beside: { what: 'young database', quantity: quantity(fresh ?? [], unit) },
      ratio: ratios(aged ?? [], fresh ?? []),
      wanted: unit === '/s' ? { of: 'ratio', atLeast: 0.8 } : { of: 'ratio', atMost: 1.2 },
    };
  });
}

async function filled(world: World, dialect: Dialect, amounts: typeof YOUNG): Promise<string> {
  const database = await newDatabase(world, dialect);
  await fill(database, amounts);
  return database;
}

/** Each figure in a copy of its own. */
async function figuresIn(world: World, dialect: Dialect, like: string): Promise<Figures> {
  const within = async <T>(measure: (database: string) => Promise<T>): Promise<T> => {
    const database = await newDatabase(world, dialect, like);
    try {
      return await measure(database);
    } finally {
      await dropDatabase(world, database);
    }
  };
  const flows = await within((database) => flowsIn(world, database));
  const creates = await within((database) => createsIn(world, database));
  const reads = await within(async (database) => {
    await using subject = await startReads(world, database);
    await readsOf(world, subject);
    return await readsOf(world, subject);
  });
  const start = await within((database) => startOn(world, database));
  return {
    flowsPerSecond: flows.perSecond,
    flowCpuMs: flows.cpuMs,
    flowLatencyMs: flows.latencyMs,
    acceptedPerSecond: creates.acceptedPerSecond,
    availableSeconds: creates.availableSeconds,
    createCpuMs: creates.cpuMs,
    commitsAlone: creates.commitsAlone,
    listMs: reads.listMs,
    getMs: reads.getMs,
    startSeconds: start.seconds,
    idleMegabytes: start.megabytes,
  };
}
