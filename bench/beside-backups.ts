/**
 * What everybody else notices when a host makes backups: gets of one volume while two backups are made, beside the same service while it makes
 * none. Both processes copy for as long as is looked, which is seen before it and after it.
 */
import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writePieces } from './backup-disks.ts';
import { timesOf } from './clients.ts';
import { ask } from './creates.ts';
import type { Part } from './part.ts';
import { startServer } from './processes.ts';
import { percentile, quantity, type Result, ratios } from './report.ts';
import { path } from './subject.ts';
import { DIALECTS, type Dialect, dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

/** `max_backup_copies` of the service. */
const BACKUPS = 2;
/** They are at it for longer than anything is looked at, also in a hurry: so that is the same there. */
const SIZE_GIB = 2;
const CLIENTS = 4;
/** Each asks again when it is answered, or after a pause: so many in all, and so many milliseconds on average. */
const PACES = {
  asFast: { said: 'asked for as fast as it goes', gets: 8_000, pauseMs: 0 },
  paced: { said: 'asked for 800 times a second', gets: 800, pauseMs: 5 },
} as const;
const DEADLINE_MS = 60_000;

export const besideBackups: Part = {
  limit:
    'A disk that is shared: a sync that comes behind what copies write waits for it, and so does what reads after it.',
  measure: measureBesideBackups,
};

async function measureBesideBackups(world: World): Promise<Result[]> {
  const results: Result[] = [];
  for (const dialect of ['sqlite', 'postgresql'] as const) {
    if (dialect === 'postgresql' && 'missing' in world.postgresql)
      results.push({ figure: `beside ${BACKUPS} backups, ${DIALECTS[dialect]}`, skipped: world.postgresql.missing });
    else results.push(...(await besideOn(world, dialect)));
  }
  return results;
}

/** Milliseconds. */
type P99s = Readonly<Record<keyof typeof PACES, number>>;

async function besideOn(world: World, dialect: Dialect): Promise<Result[]> {
  const idle: P99s[] = [];
  const busy: P99s[] = [];
  for (let round = 1; round <= world.rounds; round += 1) {
    world.tell(`round ${round} of ${world.rounds}: a host that makes backups, ${DIALECTS[dialect]}`);
    const p99s = await p99sIn(world, dialect);
    idle.push(p99s.idle);
    busy.push(p99s.busy);
  }
  return (['paced', 'asFast'] as const).map((pace) => {
    const [measured, beside] = [busy, idle].map((p99s) => p99s.map((each) => each[pace])) as [number[], number[]];
    return {
      figure: `p99 of a get, ${PACES[pace].said}, ${BACKUPS} backups are made, ${DIALECTS[dialect]}`,
      measured: quantity(measured, 'ms'),
      beside: { what: 'none', quantity: quantity(beside, 'ms') },
      ratio: ratios(measured, beside),
      wanted: { of: 'ratio', atMost: 1.3 },
    };
  });
}

async function p99sIn(world: World, dialect: Dialect): Promise<{ readonly idle: P99s; readonly busy: P99s }> {
  const database = await newDatabase(world, dialect);
  const directory = newDirectory(world);
  const store = join(directory, 'store');
  mkdirSync(store);
  const section = { backup_driver: 'posix', backup_posix_path: store };
  const settings = Object.entries(section).map(([key, value]) => `backup_stores.main.${key}=${value}`);
  const server = await startServer('service.ts', [database, directory, 'noauth', ...settings]);
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  // biome-ignore lint/suspicious/noExplicitAny: a resource, as it is answered
  const api = async (method: string, rest: string, body?: object): Promise<any> =>
    Object.values(
      (await ask(agent, method, `${server.address}${path(rest)}`, body && JSON.stringify(body))) as object,
    )[0];
  const until = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
    const deadline = performance.now() + DEADLINE_MS;
    while (!(await isSo())) {
      assert.ok(performance.now() < deadline, 'in time');
      await delay(5);
    }
  };
  const p99 = async (volume: string, { gets, pauseMs }: { gets: number; pauseMs: number }): Promise<number> => {
    const get = () => ask(agent, 'GET', `${server.address}${path(`/volumes/${volume}`)}`);
    const between = pauseMs === 0 ? undefined : () => delay(pauseMs * (0.5 + Math.random()));
    return percentile(await timesOf(CLIENTS, gets, get, between), 0.99);
  };
  const p99s = async (volume: string): Promise<P99s> => ({
    paced: await p99(volume, PACES.paced),
    asFast: await p99(volume, PACES.asFast),
  });
  try {
    const volumes: string[] = [];
    for (let made = 0; made < BACKUPS; made += 1) {
      const { id } = await api('POST', '/volumes', { volume: { size: SIZE_GIB } });
      await until(async () => (await api('GET', `/volumes/${id}`)).status === 'available');
      const disk = openSync(join(directory, 'volumes', `volume-${id}`), 'r+');
      writePieces(disk, (SIZE_GIB * 1024) / 2);
      closeSync(disk);
      volumes.push(id);
    }
    const { id: looked } = await api('POST', '/volumes', { volume: { size: 1 } });
    await p99s(looked);
    const idle = await p99s(looked);
    const backups: string[] = [];
    for (const volume_id of volumes) backups.push((await api('POST', '/backups', { backup: { volume_id } })).id);
    const stored = (): string[] => readdirSync(store, { recursive: true, encoding: 'utf8' });
    await until(() => backups.every((id) => stored().some((name) => name.includes(`packs/${id}/`))));
    const busy = await p99s(looked);
    for (const id of backups) assert.equal((await api('GET', `/backups/${id}`)).status, 'creating', 'it is made still');
    return { idle, busy };
  } finally {
    agent.destroy();
    await server.stop();
    await dropDatabase(world, database);
  }
}
