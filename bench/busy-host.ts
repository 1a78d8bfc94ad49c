/**
 * What everybody else notices when a host copies: four copies run and five hundred wait, at the rate that is on by itself, beside the
 * same host a minute before. Gets, creates of blank volumes, and the memory of the service.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, statSync, writeSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { canReflink } from '../src/drivers/file/file-copy.ts';
import { timesOf } from './clients.ts';
import { allAvailable, ask } from './creates.ts';
import type { Part } from './part.ts';
import { startServer } from './processes.ts';
import { median, percentile, quantity, type Result, ratios } from './report.ts';
import { path } from './subject.ts';
import { DIALECTS, type Dialect, dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

const COPIES = 504;
/** `max_copies` of the service. */
const RUNNING = 4;
/** Each copy is at it for longer than anything is measured. */
const DATA_MIB = 1024;
const GETS = 4_000;
const CLIENTS = 4;
const CREATES = 40;

interface Noticed {
  readonly getP99Ms: number;
  readonly answeredMs: number;
  readonly availableMs: number;
  readonly rssMb: number;
}

export const busyHost: Part = {
  limit: 'A disk that is shared: what copies take of it, at their rate, nobody else has.',
  measure: measureBusyHost,
};

async function measureBusyHost(world: World): Promise<Result[]> {
  const figure = `beside ${RUNNING} copies that run and ${COPIES - RUNNING} that wait`;
  if (await canReflink(world.directory))
    return [{ figure, skipped: 'this disk shares blocks, so nothing is copied; set TMPDIR to one that does not' }];
  const results: Result[] = [];
  for (const dialect of ['sqlite', 'postgresql'] as const) {
    if (dialect === 'postgresql' && 'missing' in world.postgresql)
      results.push({ figure: `${figure}, ${DIALECTS[dialect]}`, skipped: world.postgresql.missing });
    else results.push(...(await noticedOn(world, dialect)));
  }
  return results;
}

async function noticedOn(world: World, dialect: Dialect): Promise<Result[]> {
  const idle: Noticed[] = [];
  const busy: Noticed[] = [];
  for (let round = 1; round <= world.rounds; round += 1) {
    world.tell(`round ${round} of ${world.rounds}: a host that copies, ${DIALECTS[dialect]}`);
    const noticed = await noticedIn(world, dialect);
    idle.push(noticed.idle);
    busy.push(noticed.busy);
  }
  const row = (what: string, key: keyof Noticed, unit: string, atMost: number): Result => {
    const [measured, beside] = [busy, idle].map((figures) => figures.map((each) => each[key]));
    return {
      figure: `${what}, ${RUNNING} copies run and ${COPIES - RUNNING} wait, ${DIALECTS[dialect]}`,
      measured: quantity(measured ?? [], unit),
      beside: { what: 'none', quantity: quantity(beside ?? [], unit) },
      ratio: ratios(measured ?? [], beside ?? []),
      wanted: { of: 'ratio', atMost },
    };
  };
  return [
    row('p99 of a get of one volume', 'getP99Ms', 'ms', 1.3),
    row('POST /volumes answered', 'answeredMs', 'ms', 1.5),
    row('a blank volume is available', 'availableMs', 'ms', 2),
    row('memory', 'rssMb', 'MB', 1.2),
  ];
}

async function noticedIn(world: World, dialect: Dialect): Promise<{ readonly idle: Noticed; readonly busy: Noticed }> {
  const database = await newDatabase(world, dialect);
  const directory = newDirectory(world);
  const server = await startServer('service.ts', [database, directory]);
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const volumes = `${server.address}${path('/volumes')}`;
  const create = async (more: object = {}): Promise<string> => {
    const made = await ask(agent, 'POST', volumes, JSON.stringify({ volume: { size: 1, ...more } }));
    return (made as { readonly volume: { readonly id: string } }).volume.id;
  };
  const available = async (id: string): Promise<void> => {
    for (;;) {
      const found = (await ask(agent, 'GET', `${volumes}/${id}`)) as { readonly volume: { readonly status: string } };
      if (found.volume.status === 'available') return;
      assert.equal(found.volume.status, 'creating');
      await delay(2);
    }
  };
  const look = async (): Promise<Noticed> => {
    const answered: number[] = [];
    const whole: number[] = [];
    for (let made = 0; made < CREATES; made += 1) {
      const begun = performance.now();
      const id = await create();
      answered.push(performance.now() - begun);
      await available(id);
      whole.push(performance.now() - begun);
    }
    const gets = await timesOf(CLIENTS, GETS / world.haste, () => ask(agent, 'GET', `${volumes}/${source}`));
    const { rssBytes } = await server.kept();
    return {
      getP99Ms: percentile(gets, 0.99),
      answeredMs: median(answered),
      availableMs: median(whole),
      rssMb: rssBytes / 1e6,
    };
  };
  const source = await create();
  try {
    await available(source);
    const pool = join(directory, 'volumes');
    writeData(join(pool, `volume-${source}`));
    // It has had as much to do before: what that leaves in memory is no copy's.
    await timesOf(CLIENTS, COPIES, () => create());
    await allAvailable(server, agent);
    await look();
    const idle = await look();
    await timesOf(CLIENTS, COPIES, () => create({ source_volid: source }));
    const isWritten = (name: string): boolean => name.startsWith('.tmp-') && statSync(join(pool, name)).blocks > 0;
    const copying = (): number => readdirSync(pool).filter(isWritten).length;
    while (copying() < RUNNING) await delay(5);
    const busy = await look();
    assert.equal(copying(), RUNNING, 'as many copies run at the end');
    return { idle, busy };
  } finally {
    agent.destroy();
    await server.stop();
    await dropDatabase(world, database);
  }
}

function writeData(file: string): void {
  const opened = openSync(file, 'r+');
  const piece = randomBytes(1024 ** 2);
  for (let written = 0; written < DATA_MIB; written += 1)
    writeSync(opened, piece, 0, piece.length, written * 1024 ** 2);
  closeSync(opened);
}
