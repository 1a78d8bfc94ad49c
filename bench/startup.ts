/**
 * From the command to the first answer, what it costs until the service has settled, and the memory of one that has nothing to do.
 * Beside: the smallest `node:http` server there can be, which is what Node itself takes, and a bundle that only loads and starts the libraries that the
 * service has (`bare-start.ts`), which is the limit of who keeps them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { build } from 'esbuild';
import { BUNDLING } from '../scripts/bundle.ts';
import { freePort } from '../test/free-port.ts';
import { type Build, bundled, THIS_BUILD } from './build.ts';
import type { Part } from './part.ts';
import { beside, remember } from './processes.ts';
import { quantity, type Result, type Row, ratios, type Wanted } from './report.ts';
import { rounds } from './rounds.ts';
import { configToml, HEADERS, path } from './subject.ts';
import { DIALECTS, dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

const BARE = `require('node:http').createServer((_, response) => response.end()).listen(+process.argv[1], '127.0.0.1')`;
/** For what a start leaves behind to be collected and given back, however hasty the run is. */
const IDLE_MS = 5_000;
const DEADLINE_MS = 30_000;
const BETWEEN_LOOKS_MS = 2;

export interface StartFigures {
  readonly seconds: number;
  /** Of the process, from its beginning until it has been idle for `IDLE_MS`. */
  readonly cpuMs: number;
  readonly megabytes: number;
}

export const startup: Part = {
  limit:
    "Node itself takes a bare server's start; what else is beyond our reach is the loading of the libraries that " +
    'are kept, bundled as the service is.',
  measure: measureStartup,
};

async function measureStartup(world: World): Promise<Result[]> {
  const { other } = world;
  const database = await newDatabase(world, 'sqlite');
  const least = await leastStart(world, database);
  const bare = () => startOf((port) => spawn(process.execPath, ['-e', BARE, port], { stdio: 'ignore' }));
  // A database that another build has brought forward is not this one's to begin with.
  const otherDatabase = other && (await newDatabase(world, 'sqlite'));
  world.tell('the first start compiles and makes the database');
  await startOn(world, database);
  if (other && otherDatabase) await startOn(world, otherDatabase, other);
  await least();
  const measured = await rounds(
    world.rounds,
    {
      ours: () => startOn(world, database),
      bare,
      least,
      theirs: other && otherDatabase ? () => startOn(world, otherDatabase, other) : undefined,
    },
    world.tell,
  );
  for (const each of [database, otherDatabase]) if (each) await dropDatabase(world, each);
  const rows = (figure: string, key: keyof StartFigures, unit: string, wanted?: Wanted): Row[] => {
    const of = (figures: readonly StartFigures[]): number[] => figures.map((each) => each[key]);
    const { ours, theirs } = measured;
    const row = { figure: `${figure}, ${DIALECTS.sqlite}`, measured: quantity(of(ours), unit) };
    const against = (what: string, peer: readonly StartFigures[], isLimit?: true): Row => ({
      ...row,
      beside: { what, quantity: quantity(of(peer), unit), ...(isLimit && { isLimit }) },
      ratio: ratios(of(ours), of(peer)),
    });
    const first = other ? against(other.name, theirs) : against('bare node:http', measured.bare);
    return [
      { ...first, ...(wanted && { wanted }) },
      against('the same libraries alone, bundled', measured.least, true),
    ];
  };
  return [
    ...rows('start to first answer', 'seconds', 's', { of: 'measured', atMost: 0.7 }),
    ...rows('CPU of a start, until it has settled', 'cpuMs', 'ms', other && { of: 'ratio', atMost: 0.55 }),
    ...rows('idle memory', 'megabytes', 'MB', { of: 'measured', atMost: 72 }),
  ];
}

/** As `bin/pumice` starts the service. */
async function leastStart(world: World, database: string): Promise<() => Promise<StartFigures>> {
  const directory = newDirectory(world);
  const config = join(directory, 'pumice.toml');
  writeFileSync(config, configToml(database, directory));
  const program = join(directory, 'bare-start.js');
  // ES modules, as the bundle's.
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  await build({ ...BUNDLING, entryPoints: { 'bare-start': beside('bare-start.ts') }, outdir: directory });
  const shell = readFileSync(join(THIS_BUILD.root, 'bin', 'pumice'), 'utf8');
  const flags = /^exec "\$node" (.*) "\$main"/m.exec(shell)?.[1]?.split(' ') ?? [];
  const malloc = [...shell.matchAll(/(MALLOC_\w+)="\$\{\w+:-(\d+)\}"/g)].map(([, name, value]) => [name, value]);
  const env = { ...process.env, ...Object.fromEntries(malloc), NODE_COMPILE_CACHE: join(directory, 'cache') };
  return () =>
    startOf((port) =>
      spawn(process.execPath, [...flags, program, config, path('/volumes/detail'), '--port', port], {
        env,
        stdio: ['ignore', 'ignore', 'inherit'],
      }),
    );
}

export const startOn = (world: World, database: string, build?: Build): Promise<StartFigures> =>
  startOf(servedOn(world, database, build));

async function startOf(start: (port: string) => ChildProcess): Promise<StartFigures> {
  const served = await answering(start);
  await delay(IDLE_MS);
  const figures = { seconds: served.seconds, cpuMs: served.cpuMs(), megabytes: served.megabytes() };
  await served.stop();
  return figures;
}

/** A service that answers. */
export interface Served {
  readonly address: string;
  readonly pid: number;
  /** From the command to the first answer. */
  readonly seconds: number;
  cpuMs(): number;
  /** Resident. */
  megabytes(): number;
  stop(): Promise<void>;
}

/** `pumice serve`, as it is installed and started on a machine. */
export const serve = (world: World, database: string, build?: Build): Promise<Served> =>
  answering(servedOn(world, database, build));

function servedOn(world: World, database: string, build: Build = THIS_BUILD): (port: string) => ChildProcess {
  bundled(build);
  const directory = newDirectory(world);
  const config = join(directory, 'pumice.toml');
  writeFileSync(config, configToml(database, directory));
  const args = ['serve', '--config', config, '--set'];
  return (port) =>
    spawn(join(build.root, 'bin', 'pumice'), [...args, `api.port=${port}`], { stdio: ['ignore', 'ignore', 'inherit'] });
}

export async function answering(start: (port: string) => ChildProcess): Promise<Served> {
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
  const pid = child.pid ?? 0;
  return {
    address: `http://127.0.0.1:${port}`,
    pid,
    seconds,
    cpuMs: () => cpuMs(pid),
    megabytes: () => residentMegabytes(pid),
    stop: async () => {
      child.kill();
      await ended;
    },
  };
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

export function residentMegabytes(pid: number): number {
  const [, kibibytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return (Number(kibibytes) * 1024) / 1e6;
}

/** Hundredths of a second, on every Linux, with those of the programs it has waited for. */
function cpuMs(pid: number): number {
  // The name of the program comes before, and may hold blanks.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return ticks * 10;
}
