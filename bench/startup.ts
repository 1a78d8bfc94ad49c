/**
 * From the command to the first answer, and the memory of a service that has nothing to do. Beside: the smallest `node:http`
 * server there can be, which is what Node itself takes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../test/free-port.ts';
import { beside, remember } from './processes.ts';
import { quantity, type Result, type Row, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import { configToml, HEADERS, path } from './subject.ts';
import { DIALECTS, dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

const PUMICE = beside('../bin/pumice');
const BARE = `require('node:http').createServer((_, response) => response.end()).listen(+process.argv[1], '127.0.0.1')`;
/** For what a start leaves behind to be collected. */
const IDLE_MS = 5_000;
const DEADLINE_MS = 30_000;
const BETWEEN_LOOKS_MS = 2;

export interface StartFigures {
  readonly seconds: number;
  readonly megabytes: number;
}

export async function startup(world: World): Promise<Result[]> {
  const database = await newDatabase(world, 'sqlite');
  const ours = () => startOn(world, database);
  const bare = () => startOf(world, (port) => spawn(process.execPath, ['-e', BARE, port], { stdio: 'ignore' }));
  world.tell('the first start compiles and makes the database');
  await ours();
  const measured = await rounds(world.rounds, { ours, bare }, world.tell);
  await dropDatabase(world, database);
  const row = (figure: string, key: keyof StartFigures, unit: string, atMost: number): Row => {
    const [mine, least] = [measured.ours, measured.bare].map((figures) => figures.map((each) => each[key]));
    return {
      figure: `${figure}, ${DIALECTS.sqlite}`,
      measured: quantity(mine ?? [], unit),
      beside: { what: 'bare node:http', quantity: quantity(least ?? [], unit) },
      ratio: ratios(mine ?? [], least ?? []),
      wanted: { of: 'measured', atMost },
    };
  };
  return [row('start to first answer', 'seconds', 's', 0.7), row('idle memory', 'megabytes', 'MB', 90)];
}

/** `pumice serve`, as it is started on a machine. */
export function startOn(world: World, database: string): Promise<StartFigures> {
  const directory = newDirectory(world);
  const config = join(directory, 'pumice.toml');
  writeFileSync(config, configToml(database, directory));
  const args = ['serve', '--config', config, '--set'];
  return startOf(world, (port) =>
    spawn(PUMICE, [...args, `api.port=${port}`], { stdio: ['ignore', 'ignore', 'inherit'] }),
  );
}

async function startOf(world: World, start: (port: string) => ChildProcess): Promise<StartFigures> {
  const port = await freePort();
  const begun = performance.now();
  const child = start(String(port));
  remember(child);
  const ended = once(child, 'exit');
  while (!(await isAnswered(port))) {
    if (child.exitCode !== null) throw new Error(`${child.spawnargs.join(' ')} ended with ${child.exitCode}.`);
    if (performance.now() - begun > DEADLINE_MS) throw new Error(`${child.spawnargs.join(' ')} does not answer.`);
    await delay(BETWEEN_LOOKS_MS);
  }
  const seconds = (performance.now() - begun) / 1000;
  await delay(IDLE_MS / world.haste);
  const megabytes = residentMegabytes(child.pid ?? 0);
  child.kill();
  await ended;
  return { seconds, megabytes };
}

function isAnswered(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    get(
      { host: '127.0.0.1', port, path: path('/volumes/detail?limit=1'), headers: HEADERS, agent: false },
      (answer) => {
        answer.resume().once('close', () => resolve(answer.statusCode === 200));
      },
    ).once('error', () => resolve(false));
  });
}

function residentMegabytes(pid: number): number {
  const [, kibibytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return (Number(kibibytes) * 1024) / 1e6;
}
