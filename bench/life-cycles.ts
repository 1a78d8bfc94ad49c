/**
 * The memory of a service that is at work for long: `pumice serve` as it is installed, and six clients, each of which begins a whole life of a volume
 * a second: made, snapshotted, cloned from it, grown, renamed, attached, detached, and all of it deleted. What it holds in the twelfth
 * minute is beside what it held in the second, and before the first request. Nothing is collected by force: it is what the operating system sees.
 * Beside another build at the same pace.
 */
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type Build, THIS_BUILD } from './build.ts';
import { ask } from './creates.ts';
import type { Part } from './part.ts';
import { besideBuild, median, quantity, type Result, type Row, ratios, type Wanted } from './report.ts';
import { rounds } from './rounds.ts';
import { type Served, serve } from './startup.ts';
import { CONNECTOR, path } from './subject.ts';
import { DIALECTS, dropDatabase, newDatabase, type World } from './world.ts';

const CLIENTS = 6;
const LIFE_MS = 1_000;
const MINUTES = 12;
/** For what a start leaves behind to be given back. */
const IDLE_MS = 5_000;
const BETWEEN_LOOKS_MS = 20;
const DEADLINE_MS = 60_000;

interface Figures {
  readonly idle: number;
  readonly second: number;
  readonly last: number;
  readonly livesPerSecond: number;
}

export const lifeCycles: Part = {
  limit:
    'What a process holds when it has nothing to do it holds at work, too; how much more its collector leaves for later is its own choice. ' +
    'Whoever keeps nothing of what is gone holds as much in the last minute as in the second.',
  measure: measureLives,
};

/** One round: a quarter of an hour of each build. */
async function measureLives(world: World): Promise<Result[]> {
  const { other } = world;
  const { ours, theirs } = await rounds(
    1,
    { ours: () => livesOf(world), theirs: other && (() => livesOf(world, other)) },
    world.tell,
  );
  const of = (all: readonly Figures[], key: keyof Figures): number[] => all.map((each) => each[key]);
  const last = { measured: quantity(of(ours, 'last'), 'MB') };
  const minutes = MINUTES / world.haste;
  const row = (figure: string, what: string, key: 'idle' | 'second', wanted: Wanted): Row => ({
    figure: `${figure}, ${CLIENTS} clients, ${DIALECTS.sqlite}`,
    ...last,
    beside: { what, quantity: quantity(of(ours, key), 'MB') },
    ratio: ratios(of(ours, 'last'), of(ours, key)),
    wanted,
  });
  const figure = `memory in minute ${minutes} of whole lives`;
  const rows: Row[] = [
    row(figure, 'idle', 'idle', { of: 'ratio', atMost: 1.5 }),
    row(figure, 'the second minute', 'second', { of: 'ratio', atMost: 1.02 }),
  ];
  if (other === undefined) return rows;
  const besideOther = (what: string, key: keyof Figures, unit: string): Row => ({
    figure: `${what}, ${CLIENTS} clients, ${DIALECTS.sqlite}`,
    measured: quantity(of(ours, key), unit),
    ...besideBuild(other, of(ours, key), of(theirs, key), unit),
  });
  return [...rows, besideOther(figure, 'last', 'MB'), besideOther('whole lives', 'livesPerSecond', '/s')];
}

async function livesOf(world: World, build: Build = THIS_BUILD): Promise<Figures> {
  const database = await newDatabase(world, 'sqlite');
  const served = await serve(world, database, build);
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  try {
    await delay(IDLE_MS);
    const idle = served.megabytes();
    const minuteMs = 60_000 / world.haste;
    const until = performance.now() + MINUTES * minuteMs;
    const clients = Array.from({ length: CLIENTS }, () => livesUntil(until, served, agent));
    const held = await watched(served, until, minuteMs);
    const lives = await Promise.all(clients);
    const all = lives.reduce((sum, each) => sum + each, 0);
    return {
      idle,
      second: median(held[1] ?? []),
      last: median(held[MINUTES - 1] ?? []),
      livesPerSecond: (all / (MINUTES * minuteMs)) * 1000,
    };
  } finally {
    agent.destroy();
    await served.stop();
    await dropDatabase(world, database);
  }
}

/** Megabytes in each minute. */
async function watched(served: Served, until: number, minuteMs: number): Promise<readonly (readonly number[])[]> {
  const held: number[][] = Array.from({ length: MINUTES }, () => []);
  for (let left = until - performance.now(); left > 0; left = until - performance.now()) {
    held[MINUTES - Math.ceil(left / minuteMs)]?.push(served.megabytes());
    await delay(minuteMs / 60);
  }
  return held;
}

/** How many. */
async function livesUntil(until: number, served: Served, agent: Agent): Promise<number> {
  let lives = 0;
  while (performance.now() < until) {
    const begun = performance.now();
    await life(new Asking(served.address, agent));
    lives += 1;
    await delay(Math.max(0, begun + LIFE_MS - performance.now()));
  }
  return lives;
}

async function life(asking: Asking): Promise<void> {
  const volume = await asking.made('volume', { size: 1, name: 'a life' });
  const snapshot = await asking.made('snapshot', { volume_id: volume, name: 'of it' });
  const clone = await asking.made('volume', { snapshot_id: snapshot, size: 1, name: 'after it' });
  await asking.ask('POST', `/volumes/${clone}/action`, { 'os-extend': { new_size: 2 } });
  await asking.becomes('volume', clone, 'available');
  await asking.ask('PUT', `/volumes/${clone}`, { volume: { name: 'renamed' } });
  const body = { attachment: { volume_uuid: clone, connector: CONNECTOR } };
  const { attachment } = (await asking.ask('POST', '/attachments', body)) as {
    readonly attachment: { readonly id: string };
  };
  await asking.ask('POST', `/attachments/${attachment.id}/action`, { 'os-complete': {} });
  await asking.ask('DELETE', `/attachments/${attachment.id}`);
  await asking.becomes('volume', clone, 'available');
  await asking.gone('volume', clone);
  await asking.gone('snapshot', snapshot);
  await asking.gone('volume', volume);
}

type Kind = 'volume' | 'snapshot';

class Asking {
  readonly #address: string;
  readonly #agent: Agent;

  constructor(address: string, agent: Agent) {
    this.#address = address;
    this.#agent = agent;
  }

  ask(method: string, rest: string, body?: object): Promise<unknown> {
    return ask(this.#agent, method, `${this.#address}${path(rest)}`, body && JSON.stringify(body));
  }

  /** Its id, when it is available. */
  async made(kind: Kind, request: object): Promise<string> {
    const { id } = (
      (await this.ask('POST', `/${kind}s`, { [kind]: request })) as Readonly<Record<Kind, { readonly id: string }>>
    )[kind];
    await this.becomes(kind, id, 'available');
    return id;
  }

  becomes(kind: Kind, id: string, status: string): Promise<void> {
    return this.#until(`${kind} ${id} is ${status}`, async () => {
      const seen = (await this.ask('GET', `/${kind}s/${id}`)) as Readonly<Record<Kind, { readonly status: string }>>;
      return seen[kind].status === status;
    });
  }

  async gone(kind: Kind, id: string): Promise<void> {
    await this.ask('DELETE', `/${kind}s/${id}`);
    await this.#until(`${kind} ${id} is gone`, () =>
      this.ask('GET', `/${kind}s/${id}`).then(
        () => false,
        (error: unknown) => {
          if (/ was answered 404/.test(String(error))) return true;
          throw error;
        },
      ),
    );
  }

  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    while (!(await holds())) {
      if (performance.now() > deadline) throw new Error(`It never came to be that ${what}.`);
      await delay(BETWEEN_LOOKS_MS);
    }
  }
}
