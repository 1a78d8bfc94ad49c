/**
 * What those cost who watch: 200 clients of the stream of events. How long after a change was answered the last of them has heard of it, by
 * itself and among a hundred a second; what the watching adds to the CPU of those changes; and what 20 clients cost that read nothing. Client
 * and load are in one process, which takes a part of the times.
 */
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from './creates.ts';
import { fill } from './fill.ts';
import type { Part } from './part.ts';
import { type Server, startServer } from './processes.ts';
import { percentile, quantity, type Result } from './report.ts';
import { PROJECT, path } from './subject.ts';
import { DIALECTS, dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

const WATCHERS = 200;
/** A user may have twelve. */
const OF_USER = 10;
const SLEEPERS = 20;
const VOLUMES = 20;
const SINGLE = 40;
const A_SECOND = 100;
const SECONDS = 5;
/** Of so many changes one is followed to all who watch. */
const SAMPLED = 27;
/** Between two single changes. */
const APART_MS = 150;
const MB = 1e6;

export const watchers: Part = {
  limit: 'A write to a socket for each watcher and change: 200 watchers of 100 changes are 20,000 a second.',
  measure: measureWatchers,
};

async function measureWatchers(world: World): Promise<Result[]> {
  const database = await newDatabase(world, 'sqlite');
  await fill(database, { volumes: VOLUMES, flows: 0 });
  const server = await startServer('service.ts', [database, newDirectory(world)]);
  const agent = new Agent({ keepAlive: true });
  const { volumes } = (await ask(agent, 'GET', `${server.address}${path('/volumes')}`)) as {
    readonly volumes: readonly { readonly id: string }[];
  };
  const rename = async (n: number): Promise<number> => {
    const { id } = volumes[n % volumes.length] as { readonly id: string };
    await ask(
      agent,
      'PUT',
      `${server.address}${path(`/volumes/${id}`)}`,
      JSON.stringify({ volume: { name: `name ${n}` } }),
    );
    return performance.now();
  };
  await busy(rename);
  const alone: number[] = [];
  const watched: number[] = [];
  const single: number[] = [];
  const crowded: number[] = [];
  for (let round = 0; round < world.rounds; round += 1) {
    world.tell(`round ${round + 1} of ${world.rounds}`);
    alone.push(await cpuOf(server, () => busy(rename)));
    const crowd = new Crowd(server.address);
    await crowd.arrive();
    const waits: number[] = [];
    for (let n = 0; n < SINGLE; n += 1) {
      const heard = crowd.next();
      const changedAt = await rename(n);
      for (const at of await heard) waits.push(at - changedAt);
      await delay(APART_MS);
    }
    single.push(percentile(waits, 0.95));
    watched.push(await cpuOf(server, () => busy(rename)));
    const late: Promise<readonly number[]>[] = [];
    await busy(async (n) => {
      // The same volume was changed a fifth of a second before: that is told of by now.
      const heard = n % SAMPLED === 0 ? crowd.next(volumes[n % volumes.length]?.id) : undefined;
      const changedAt = await rename(n);
      if (heard !== undefined) late.push(heard.then((each) => each.map((at) => at - changedAt)));
    });
    crowded.push(percentile((await Promise.all(late)).flat(), 0.95));
    crowd.leave();
  }
  world.tell(`${SLEEPERS} sleep`);
  const before = await server.kept();
  const sleepers = Array.from({ length: SLEEPERS }, (_, n) => sleeper(server.address, n));
  await busy(rename);
  const after = await server.kept();
  for (const socket of sleepers) socket.destroy();
  agent.destroy();
  await server.stop();
  await dropDatabase(world, database);
  const which = DIALECTS.sqlite;
  return [
    {
      figure: `from a change to each of ${WATCHERS} watchers, 95 of 100, ${which}`,
      measured: quantity(single, 'ms'),
      wanted: { of: 'measured', atMost: 50 },
    },
    {
      figure: `the same among ${A_SECOND} changes a second, ${which}`,
      measured: quantity(crowded, 'ms'),
      wanted: { of: 'measured', atMost: 100 },
    },
    {
      figure: `${WATCHERS} watchers of ${A_SECOND} changes a second, of a core beside nobody, ${which}`,
      measured: quantity(
        watched.map((cpuMs, round) => ((cpuMs - (alone[round] ?? 0)) / (SECONDS * 1000)) * 100),
        '%',
      ),
      wanted: { of: 'measured', atMost: 10 },
    },
    {
      figure: `${SLEEPERS} watchers that read nothing, ${which}`,
      measured: quantity([(after.rssBytes - before.rssBytes) / MB], 'MB'),
      wanted: { of: 'measured', atMost: 20 },
    },
  ];
}

/** As many changes as are wanted, each at its time. */
async function busy(change: (n: number) => Promise<unknown>): Promise<void> {
  const begun = performance.now();
  const all: Promise<unknown>[] = [];
  for (let n = 0; n < A_SECOND * SECONDS; n += 1) {
    const due = begun + (n * 1000) / A_SECOND;
    if (due > performance.now()) await delay(due - performance.now());
    all.push(change(n));
  }
  await Promise.all(all);
}

/** Milliseconds. */
async function cpuOf(server: Server, work: () => Promise<void>): Promise<number> {
  const before = await server.usage();
  await work();
  return (await server.usage()).cpuMs - before.cpuMs;
}

const headersOf = (n: number) => ({
  accept: 'text/event-stream',
  'x-auth-token': `user${Math.floor(n / OF_USER)}:${PROJECT}`,
});

interface Wait {
  /** The id of a volume that a frame is to tell of, or nothing for any. */
  readonly about: string;
  heard(at: number): void;
}

class Crowd {
  readonly #address: string;
  readonly #requests: ReturnType<typeof request>[] = [];
  /** Of each: what is waited for. */
  readonly #waiting: Wait[][] = [];

  constructor(address: string) {
    this.#address = address;
  }

  async arrive(): Promise<void> {
    for (let n = 0; n < WATCHERS; n += 1) {
      await new Promise<void>((resolve, reject) => {
        const asked = request(
          `${this.#address}/pumice/v1/events`,
          { headers: headersOf(n), agent: false },
          (answer) => {
            const waiting: Wait[] = [];
            this.#waiting.push(waiting);
            answer
              .on('error', () => {})
              .on('data', (bytes: Buffer) => {
                if (bytes.includes('event: reset')) resolve();
                if (!bytes.includes('event: changes')) return;
                for (const wait of waiting.splice(0)) {
                  if (bytes.includes(wait.about)) wait.heard(performance.now());
                  else waiting.push(wait);
                }
              });
          },
        );
        asked.once('error', reject).end();
        this.#requests.push(asked);
      });
    }
  }

  /** When each hears of the next change, or of the next one of this volume. */
  next(about = ''): Promise<readonly number[]> {
    return Promise.all(this.#waiting.map((waiting) => new Promise<number>((heard) => waiting.push({ about, heard }))));
  }

  leave(): void {
    for (const asked of this.#requests) asked.on('error', () => {}).destroy();
  }
}

function sleeper(address: string, n: number): Socket {
  const { hostname, port } = new URL(address);
  const socket = connect(Number(port), hostname);
  const lines = Object.entries(headersOf(n + WATCHERS)).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', () => {}).write(`GET /pumice/v1/events HTTP/1.1\r\nhost: x\r\n${lines.join('')}\r\n`);
  return socket.pause();
}
