/**
 * What everybody else notices when a host makes backups: gets of one volume while two backups are made, beside the same service while it makes
 * none. Both processes copy for as long as is looked, which is seen before it and after it.
 *
 * What of it is any program's is told by two that do nothing else: a bare server that answers the same bytes, and the bare work of two backups
 * (`bare-backup.ts`) of the same disks, started as ours. Each of both stands beside the other, and beside the service, which hears nothing of them.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BEHIND_OTHERS } from '../src/lib/exec.ts';
import { writePieces } from './backup-disks.ts';
import { timesOf } from './clients.ts';
import { ask } from './creates.ts';
import type { Part } from './part.ts';
import { beside, remember, startServer } from './processes.ts';
import { percentile, quantity, type Result, type Row, ratios } from './report.ts';
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
    'Cores and a disk that are shared: what a bare server loses beside bare copies of the same disks, which are as nice as ours, any server loses.',
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

/** Who is asked, and beside what. */
interface Noticed {
  readonly idle: P99s;
  readonly besideBackups: P99s;
  readonly besideBare: P99s;
  readonly bareIdle: P99s;
  readonly bareBesideBare: P99s;
}

async function besideOn(world: World, dialect: Dialect): Promise<Result[]> {
  const noticed: Noticed[] = [];
  for (let round = 1; round <= world.rounds; round += 1) {
    world.tell(`round ${round} of ${world.rounds}: a host that makes backups, ${DIALECTS[dialect]}`);
    noticed.push(await noticedIn(world, dialect));
  }
  return (['paced', 'asFast'] as const).flatMap((pace): Result[] => {
    const p99s = (key: keyof Noticed): number[] => noticed.map((each) => each[key][pace]);
    const row = (of: string, what: string, busy: keyof Noticed, idle: keyof Noticed): Row => ({
      figure: `p99 of a get${of}, ${PACES[pace].said}, ${what}, ${DIALECTS[dialect]}`,
      measured: quantity(p99s(busy), 'ms'),
      beside: { what: 'none', quantity: quantity(p99s(idle), 'ms') },
      ratio: ratios(p99s(busy), p99s(idle)),
    });
    const made = `${BACKUPS} backups are made`;
    const ours = row('', made, 'besideBackups', 'idle');
    const least = p99s('bareBesideBare');
    return [
      { ...ours, wanted: { of: 'ratio', atMost: 1.3 } },
      row('', `${BACKUPS} bare programs copy as much`, 'besideBare', 'idle'),
      row(' from a bare server', `${BACKUPS} bare programs copy as much`, 'bareBesideBare', 'bareIdle'),
      {
        ...ours,
        beside: { what: LEAST, quantity: quantity(least, 'ms'), isLimit: true },
        ratio: ratios(p99s('besideBackups'), least),
      },
    ];
  });
}

const LEAST = 'a bare server beside bare copies';

/** Behind others and in a session of its own, as the child of a backup. */
function bareCopy(directory: string, disk: string): ChildProcess {
  const [program, ...args] = [...BEHIND_OTHERS, process.execPath, beside('bare-backup.ts')];
  // It copies the first half of what it is told.
  const child = spawn(program, [...args, 'copy', directory, disk, String(2 * SIZE_GIB * 1024 ** 3)], {
    stdio: 'ignore',
    detached: true,
  });
  remember(child);
  return child;
}

async function noticedIn(world: World, dialect: Dialect): Promise<Noticed> {
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
  const p99 = async (url: string, { gets, pauseMs }: { gets: number; pauseMs: number }): Promise<number> => {
    const get = () => ask(agent, 'GET', url);
    const between = pauseMs === 0 ? undefined : () => delay(pauseMs * (0.5 + Math.random()));
    return percentile(await timesOf(CLIENTS, gets, get, between), 0.99);
  };
  const p99s = async (url: string): Promise<P99s> => ({
    paced: await p99(url, PACES.paced),
    asFast: await p99(url, PACES.asFast),
  });
  const stored = (within: string): string[] => readdirSync(within, { recursive: true, encoding: 'utf8' });
  const ending: (() => Promise<unknown>)[] = [];
  try {
    const volumes: string[] = [];
    const copies: ChildProcess[] = [];
    for (let made = 0; made < BACKUPS; made += 1) {
      const { id } = await api('POST', '/volumes', { volume: { size: SIZE_GIB } });
      await until(async () => (await api('GET', `/volumes/${id}`)).status === 'available');
      const disk = openSync(join(directory, 'volumes', `volume-${id}`), 'r+');
      writePieces(disk, (SIZE_GIB * 1024) / 2);
      closeSync(disk);
      volumes.push(id);
    }
    const { id: looked } = await api('POST', '/volumes', { volume: { size: 1 } });
    const rest = path(`/volumes/${looked}`);
    await until(async () => (await api('GET', `/volumes/${looked}`)).status === 'available');
    const bare = await startServer('bare.ts', [server.address, rest]);
    ending.push(() => bare.stop());
    const [service, least] = [`${server.address}${rest}`, `${bare.address}${rest}`];
    for (const url of [service, least]) await p99s(url);
    const idle = await p99s(service);
    const bareIdle = await p99s(least);
    for (const volume of volumes) {
      const target = newDirectory(world);
      const copy = bareCopy(target, join(directory, 'volumes', `volume-${volume}`));
      copies.push(copy);
      ending.push(async () => {
        if (copy.exitCode === null && copy.signalCode === null && copy.kill('SIGKILL')) await once(copy, 'exit');
        rmSync(target, { recursive: true });
      });
      await until(() => stored(target).length > 0);
    }
    const besideBare = await p99s(service);
    const bareBesideBare = await p99s(least);
    for (const { exitCode } of copies) assert.equal(exitCode, null, 'it copies still');
    for (const end of ending.splice(0)) await end();
    const backups: string[] = [];
    for (const volume_id of volumes) backups.push((await api('POST', '/backups', { backup: { volume_id } })).id);
    await until(() => backups.every((id) => stored(store).some((name) => name.includes(`packs/${id}/`))));
    const besideBackups = await p99s(service);
    for (const id of backups) assert.equal((await api('GET', `/backups/${id}`)).status, 'creating', 'it is made still');
    return { idle, besideBackups, besideBare, bareIdle, bareBesideBare };
  } finally {
    for (const end of ending) await end();
    agent.destroy();
    await server.stop();
    await dropDatabase(world, database);
  }
}
