/**
 * What metrics cost where they are on: the CPU of a get of one volume and of a create with its flow, memory, and how long a scrape holds
 * the event loop when every route that only reads has been asked. Beside: the same service without them.
 */

import { routes } from '../src/api/routes.ts';
import { freePort } from '../test/free-port.ts';
import { type CreateFigures, createsIn } from './creates.ts';
import { fill } from './fill.ts';
import type { Part } from './part.ts';
import { readsOf, startReads } from './reads.ts';
import { quantity, type Result, type Row, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import { HEADERS, type Identity, PROJECT } from './subject.ts';
import { DIALECTS, dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

const SCRAPES = 20;
const MB = 1e6;

export const metrics: Part = {
  limit: 'A request that is counted cannot be cheaper than one that is not: 1 × is the limit.',
  measure: measureMetrics,
};

async function measureMetrics(world: World): Promise<Result[]> {
  const database = await newDatabase(world, 'sqlite');
  await fill(database, { volumes: 1_000, flows: 0 });
  const port = await freePort();
  const gets = await getsBeside(world, database, port);
  await dropDatabase(world, database);
  const creating = (identity: Identity) => async (): Promise<CreateFigures> => {
    const fresh = await newDatabase(world, 'sqlite');
    const figures = await createsIn(world, fresh, undefined, newDirectory(world), identity);
    await dropDatabase(world, fresh);
    return figures;
  };
  const created = await rounds(
    world.rounds,
    { ours: creating(`metrics:${port}`), theirs: creating('noauth') },
    world.tell,
  );
  const cpu = (figures: readonly CreateFigures[]) => figures.map(({ cpuMs }) => cpuMs);
  return [
    ...gets,
    beside('CPU of a create and its flow, with metrics', cpu(created.ours), cpu(created.theirs), 'ms', 1.03),
  ];
}

async function getsBeside(world: World, database: string, port: number): Promise<Result[]> {
  const copy = await newDatabase(world, 'sqlite', database);
  const ours = await startReads(world, database, `metrics:${port}`);
  const theirs = await startReads(world, copy);
  const [idle, bare] = [await ours.server.kept(), await theirs.server.kept()];
  world.tell('warming up');
  await readsOf(world, ours);
  await readsOf(world, theirs);
  const measured = await rounds(
    world.rounds,
    { ours: () => readsOf(world, ours), theirs: () => readsOf(world, theirs) },
    world.tell,
  );
  for (const { server } of [ours, theirs])
    for (const { method, path } of routes)
      if (method === 'GET') await fetch(`${server.address}/v3/${PROJECT}${path}`, { headers: HEADERS });
  const scrapes: number[] = [];
  let lines = 0;
  for (let each = 0; each < SCRAPES; each += 1) {
    await ours.server.watched();
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
    lines = (await answer.text()).split('\n').length;
    scrapes.push((await ours.server.usage()).stop.cpuMs);
  }
  const [used, without] = [await ours.server.kept(), await theirs.server.kept()];
  for (const { server } of [ours, theirs]) await server.stop();
  await dropDatabase(world, copy);
  const getUs = (figures: readonly { readonly getMs: number }[]) => figures.map(({ getMs }) => getMs * 1000);
  return [
    beside('CPU of a get of one volume, with metrics', getUs(measured.ours), getUs(measured.theirs), 'µs', 1.03),
    {
      figure: `a scrape of ${lines} lines holds the event loop, ${DIALECTS.sqlite}`,
      measured: quantity(scrapes, 'ms'),
      wanted: { of: 'measured', atMost: 5 },
    },
    more('heap with metrics, idle', idle.heapBytes - bare.heapBytes, 12),
    more('heap with metrics, after all of this', used.heapBytes - without.heapBytes, 12),
    more('memory with metrics, after all of this', used.rssBytes - without.rssBytes, 12),
  ];
}

const beside = (
  figure: string,
  ours: readonly number[],
  theirs: readonly number[],
  unit: string,
  atMost: number,
): Row => ({
  figure: `${figure}, ${DIALECTS.sqlite}`,
  measured: quantity(ours, unit),
  beside: { what: 'without', quantity: quantity(theirs, unit) },
  ratio: ratios(ours, theirs),
  wanted: { of: 'ratio', atMost },
});

const more = (figure: string, bytes: number, atMost: number): Row => ({
  figure: `${figure}, more than without, ${DIALECTS.sqlite}`,
  measured: quantity([bytes / MB], 'MB'),
  wanted: { of: 'measured', atMost },
});
