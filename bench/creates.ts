/**
 * Creates by ten clients: how fast `POST /volumes` is accepted, how soon all of them are available, and what a create costs in
 * CPU and durable commits. Beside: a bare server that only commits a row for each request (`bare-creates.ts`), and on SQLite one that
 * writes all that a create writes (`bare-operations.ts`), which is the limit.
 */
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LEAST, startBarePeer } from './bare-peer.ts';
import { type Build, THIS_BUILD } from './build.ts';
import type { Part } from './part.ts';
import { type Server, startServer } from './processes.ts';
import { besideBuild, quantity, type Result, type Row, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import { HEADERS, type Identity, path } from './subject.ts';
import { DIALECTS, type Dialect, dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

const CLIENTS = 10;
const VOLUMES = 200;

interface Accepted {
  readonly acceptedPerSecond: number;
}

export interface CreateFigures extends Accepted {
  /** From the first request until all are available. */
  readonly availableSeconds: number;
  /** With its flow. */
  readonly cpuMs: number;
  /** Of a create that runs alone. */
  readonly commitsAlone: number;
  /** With ten clients. */
  readonly commitsTogether: number;
}

export const creates: Part = {
  limit:
    'To accept a create takes a sync of the disk, which all share that ask meanwhile, and the writes of its rows: ' +
    "a bare server that makes no more of them is the limit. Once it is accepted it takes a sync of the volume's " +
    'file and a second shared one. On PostgreSQL each transaction takes two journeys more, and the rows are bound ' +
    "by the server's own work.",
  measure: measureCreates,
};

async function measureCreates(world: World): Promise<Result[]> {
  const results: Result[] = [];
  for (const dialect of ['sqlite', 'postgresql'] as const) {
    if (dialect === 'postgresql' && 'missing' in world.postgresql)
      results.push({ figure: `creates, ${DIALECTS[dialect]}`, skipped: world.postgresql.missing });
    else results.push(...(await createsOn(world, dialect)));
  }
  return results;
}

async function createsOn(world: World, dialect: Dialect): Promise<Result[]> {
  const newOnes = (build: Build) => async (): Promise<CreateFigures> => {
    const database = await newDatabase(world, dialect);
    const figures = await createsIn(world, database, build);
    await dropDatabase(world, database);
    return figures;
  };
  const { other } = world;
  const least = async (): Promise<CreateFigures> => createsOf(await startBarePeer(world));
  const { ours, bare, theirs, limit } = await rounds(
    world.rounds,
    {
      ours: newOnes(THIS_BUILD),
      bare: () => bareCreates(world),
      theirs: other && newOnes(other),
      limit: dialect === 'sqlite' ? least : undefined,
    },
    world.tell,
  );
  const of = (key: keyof CreateFigures): number[] => ours.map((each) => each[key]);
  const rows = (figure: string, key: keyof CreateFigures, unit: string): Row[] => {
    const row = { figure: `${figure}, ${DIALECTS[dialect]}`, measured: quantity(of(key), unit) };
    const [far, most] = [theirs, limit].map((all) => all.map((each) => each[key])) as [number[], number[]];
    const found: Row[] = [];
    if (other !== undefined) found.push({ ...row, ...besideBuild(other, of(key), far, unit) });
    if (most.length > 0) {
      const beside = { what: LEAST, quantity: quantity(most, unit), isLimit: true } as const;
      found.push({ ...row, beside, ratio: ratios(of(key), most) });
    }
    return found.length > 0 ? found : [row];
  };
  const bareRate = bare.map(({ acceptedPerSecond }) => acceptedPerSecond);
  return [
    {
      figure: `POST /volumes accepted, 10 clients, ${DIALECTS[dialect]}`,
      measured: quantity(of('acceptedPerSecond'), '/s'),
      beside: { what: 'bare commits of one row each', quantity: quantity(bareRate, '/s') },
      ratio: ratios(of('acceptedPerSecond'), bareRate),
      ...(dialect === 'sqlite' && { wanted: { of: 'ratio', atLeast: 0.6 } }),
    },
    ...(other === undefined && limit.length === 0
      ? []
      : rows('POST /volumes accepted, 10 clients', 'acceptedPerSecond', '/s')),
    ...rows(`time until ${VOLUMES} volumes are available, 10 clients`, 'availableSeconds', 's'),
    ...rows('CPU of a create and its flow, 10 clients', 'cpuMs', 'ms'),
    ...rows('durable commits a create, alone', 'commitsAlone', ''),
    ...rows('durable commits a create, 10 clients', 'commitsTogether', ''),
  ];
}

/** A new service on this database and in this directory, warmed up as one that has run for a while. */
export async function createsIn(
  world: World,
  database: string,
  { root }: Build = THIS_BUILD,
  directory = newDirectory(world),
  identity: Identity = 'noauth',
): Promise<CreateFigures> {
  return createsOf(await startServer('service.ts', [database, directory, identity], root));
}

/** Stops the server in the end. */
async function createsOf(server: Server): Promise<CreateFigures> {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  try {
    await createMany(server, agent, VOLUMES, CLIENTS);
    await settled(server);
    const together = await createMany(server, agent, VOLUMES, CLIENTS);
    const alone = await createMany(server, agent, VOLUMES / 10, 1);
    return {
      acceptedPerSecond: VOLUMES / together.acceptedSeconds,
      availableSeconds: together.availableSeconds,
      cpuMs: together.cpuMs / VOLUMES,
      commitsTogether: together.commits / VOLUMES,
      commitsAlone: alone.commits / (VOLUMES / 10),
    };
  } finally {
    agent.destroy();
    await server.stop();
  }
}

const SETTLED_MS = 200;

/** Until nothing is left to be done of a start, which also looks through what is there: with 100,000 files that takes a second. */
async function settled(server: Server): Promise<void> {
  const until = performance.now() + DEADLINE_MS;
  for (let before = 0, used = Number.POSITIVE_INFINITY; used - before > SETTLED_MS / 20; ) {
    if (performance.now() > until) throw new Error(`A service that is asked for nothing works for ${DEADLINE_MS} ms.`);
    before = (await server.usage()).cpuMs;
    await delay(SETTLED_MS);
    used = (await server.usage()).cpuMs;
  }
}

async function bareCreates(world: World): Promise<Accepted> {
  const server = await startServer('bare-creates.ts', [join(newDirectory(world), 'bare.sqlite')]);
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  await postMany(server, agent, VOLUMES, CLIENTS);
  const begun = performance.now();
  await postMany(server, agent, VOLUMES, CLIENTS);
  const seconds = (performance.now() - begun) / 1000;
  agent.destroy();
  await server.stop();
  return { acceptedPerSecond: VOLUMES / seconds };
}

/** One client alone waits for each volume before it asks for the next. */
async function createMany(server: Server, agent: Agent, volumes: number, clients: number) {
  const before = await server.usage();
  const begun = performance.now();
  await postMany(server, agent, volumes, clients, clients === 1);
  const accepted = performance.now();
  await allAvailable(server, agent);
  const after = await server.usage();
  return {
    acceptedSeconds: (accepted - begun) / 1000,
    availableSeconds: (performance.now() - begun) / 1000,
    cpuMs: after.cpuMs - before.cpuMs,
    commits: after.commits - before.commits,
  };
}

const BODY = JSON.stringify({ volume: { size: 1, name: 'a volume', metadata: { purpose: 'bench' } } });

async function postMany(server: Server, agent: Agent, volumes: number, clients: number, patient = false) {
  let asked = 0;
  const client = async (): Promise<void> => {
    while (asked < volumes) {
      asked += 1;
      await ask(agent, 'POST', `${server.address}${path('/volumes')}`, BODY);
      if (patient) await allAvailable(server, agent);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
}

const DEADLINE_MS = 60_000;
/** Asking costs the server time that is counted. */
const BETWEEN_LOOKS_MS = 5;

export async function allAvailable(server: Server, agent: Agent): Promise<void> {
  const until = performance.now() + DEADLINE_MS;
  while (await isAny(server, agent, 'creating')) {
    if (performance.now() > until) throw new Error(`Volumes are not available after ${DEADLINE_MS} ms.`);
    await delay(BETWEEN_LOOKS_MS);
  }
  if (await isAny(server, agent, 'error')) throw new Error('Volumes could not be created.');
}

async function isAny(server: Server, agent: Agent, status: string): Promise<boolean> {
  const found = await ask(agent, 'GET', `${server.address}${path(`/volumes?limit=1&status=${status}`)}`);
  return (found as { volumes: readonly unknown[] }).volumes.length > 0;
}

/** Resolves with what was answered; undefined where that is nothing. */
export function ask(agent: Agent, method: string, url: string, body?: string): Promise<unknown> {
  const headers = { ...HEADERS, ...(body !== undefined && { 'content-type': 'application/json' }) };
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.once('error', reject).once('end', () => {
        if (response.statusCode !== undefined && response.statusCode < 300)
          resolve(text === '' ? undefined : JSON.parse(text));
        else reject(new Error(`${method} ${url} was answered ${response.statusCode}: ${text}`));
      });
    });
    sent.once('error', reject).end(body);
  });
}
