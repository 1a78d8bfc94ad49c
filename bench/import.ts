/**
 * What moving in from a Cinder costs: all living rows into a new database on SQLite, and again with nothing changed. Beside: `mysqldump` of the
 * same MariaDB in the same round, which carries the deleted rows, too; and the two halves that the libraries take by themselves (`bare-import.ts`):
 * the living rows read, and the rows that were filled inserted. The program runs as installed, from its bundle. And the peak of memory, with ten times fewer
 * rows beside it.
 *
 * And how long clients wait at the turn: from the proof of rest to the first list that the service answers, with a file for each volume and snapshot.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { BackendDirectory } from '../src/drivers/file/backend-directory.ts';
import { freePort } from '../test/free-port.ts';
import { startMariadb } from '../test/mariadb-server.ts';
import { bundled, THIS_BUILD } from './build.ts';
import { cinderOf, FROZEN, nameOf } from './cinder-database.ts';
import type { Part } from './part.ts';
import { remember } from './processes.ts';
import { quantity, type Result, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import { HEADERS, path } from './subject.ts';
import { newDirectory, type World } from './world.ts';

const VOLUMES = 100_000;
const DIALECT = 'MariaDB to SQLite FULL';
const MB = 1e6;
/** As a site would have it: what a Cinder goes on with stays in memory. Attachments lie in the order of their ids and are asked for by volume. */
const POOL_MEGABYTES = 1024;
const BETWEEN_LOOKS_MS = 20;

interface ImportFigures {
  readonly first: number;
  readonly again: number;
  /** What the libraries take: of the reading, and of the inserts. */
  readonly bare: number;
  /** From the freeze to the first answer; of which the turn took so much. */
  readonly frozen: number;
  readonly turn: number;
  readonly megabytes: number;
}

export const importing: Part = {
  limit:
    '`mysqldump` reads the same rows of the same server and writes them into a file: an import has to make them ' +
    'durable and checked beside that.',
  measure: measureImport,
};

async function measureImport(world: World): Promise<Result[]> {
  const server = await startMariadb(newDirectory(world), POOL_MEGABYTES);
  if ('missing' in server) return [{ figure: 'import', skipped: server.missing }];
  const [few, many] = [Math.trunc(VOLUMES / world.haste / 10), Math.trunc(VOLUMES / world.haste)];
  bundled(THIS_BUILD);
  for (const volumes of [few, many]) {
    world.tell(`a Cinder of ${volumes} volumes, ${volumes * 3} attachments and ${volumes * 10} deleted rows`);
    await cinderOf(server.url, volumes);
  }
  const measured = await rounds(
    world.rounds,
    {
      ours: () => importOf(world, server.url, many),
      few: () => peakOfFew(world, server.url, few),
      theirs: () => dumpOf(world, server.url, many),
    },
    world.tell,
  );
  const dumps = measured.theirs;
  const of = (key: keyof ImportFigures): number[] => measured.ours.map((each) => each[key]);
  const [first, again] = [of('first'), of('again')];
  const besideDump = { what: 'mysqldump', quantity: quantity(dumps, 's') };
  return [
    {
      figure: `import of ${many} volumes and ${many * 3} attachments, ${DIALECT}`,
      measured: quantity(first, 's'),
      beside: besideDump,
      ratio: ratios(first, dumps),
      wanted: { of: 'ratio', atMost: 2 },
    },
    {
      figure: `the same, beside what the libraries take of it, ${DIALECT}`,
      measured: quantity(first, 's'),
      beside: { what: 'mysql2 reads, node:sqlite inserts', quantity: quantity(of('bare'), 's') },
      ratio: ratios(first, of('bare')),
    },
    {
      figure: `the same again, nothing changed, ${DIALECT}`,
      measured: quantity(again, 's'),
      beside: besideDump,
      ratio: ratios(again, dumps),
      wanted: { of: 'ratio', atMost: 1 },
    },
    {
      figure: `peak memory of an import, ${DIALECT}`,
      measured: quantity(of('megabytes'), 'MB'),
      beside: { what: `${few} volumes`, quantity: quantity(measured.few, 'MB') },
      ratio: ratios(of('megabytes'), measured.few),
      wanted: { of: 'measured', atMost: 160 },
    },
    {
      figure: `freeze to first answer, ${many} volumes, ${DIALECT}`,
      measured: quantity(of('frozen'), 's'),
      beside: { what: 'of which the turn', quantity: quantity(of('turn'), 's') },
      wanted: { of: 'measured', atMost: 60 },
    },
  ];
}

async function importOf(world: World, url: string, volumes: number): Promise<ImportFigures> {
  const directory = newDirectory(world);
  const [from, set] = [fromFlags(url, volumes), setFlags(directory)];
  const flags = ['import', 'run', ...from, ...set, '--json'];
  const [one, two] = [await watched(flags), await watched(flags)];
  const bare =
    (await bareSeconds('read', url, nameOf(volumes))) + (await bareSeconds('write', join(directory, 'pumice.db')));
  await fillBackend(directory);
  const turned = await watched(['import', 'turn', ...from, ...set, '--writer', writerOf(url, volumes), '--json']);
  const answered = await firstAnswer(set);
  rmSync(directory, { recursive: true });
  return {
    first: one.seconds,
    again: two.seconds,
    bare,
    frozen: turned.seconds + answered,
    turn: turned.seconds,
    megabytes: Math.max(one.megabytes, two.megabytes),
  };
}

/** Of the two runs, MB. */
async function peakOfFew(world: World, url: string, volumes: number): Promise<number> {
  const flags = ['import', 'run', ...fromFlags(url, volumes), ...setFlags(newDirectory(world)), '--json'];
  const [one, two] = [await watched(flags), await watched(flags)];
  return Math.max(one.megabytes, two.megabytes);
}

const fromFlags = (url: string, volumes: number): readonly string[] => [
  ...['--from', `${url}${nameOf(volumes)}`, '--map-host', 'control1@rbd1=bench@file'],
];

const setFlags = (directory: string): readonly string[] =>
  [
    ...[`data_directory=${directory}`, `database.url=sqlite:${join(directory, 'pumice.db')}`, 'node_name=bench'],
    ...['backends.file.driver=file', `backends.file.path=${join(directory, 'volumes')}`],
  ].flatMap((each) => ['--set', each]);

/** As whom that Cinder wrote, before its rights were taken away. */
const writerOf = (url: string, volumes: number): string => {
  const writer = new URL(nameOf(volumes), url);
  writer.username = FROZEN;
  return writer.href;
};

async function bareSeconds(...args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bare-import.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  remember(child);
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`bare-import.ts ${args.join(' ')} ended with ${code}.`);
  return Number(said);
}

/** A sparse file for each volume and snapshot, so that the doctor finds nothing missing. */
async function fillBackend(directory: string): Promise<void> {
  const volumes = join(directory, 'volumes');
  await new BackendDirectory(volumes, true).start();
  const database = new DatabaseSync(join(directory, 'pumice.db'), { readOnly: true });
  for (const [kind, size] of [
    ['volume', 'size_gib'],
    ['snapshot', 'volume_size_gib'],
  ] as const)
    for (const row of database.prepare(`SELECT id, ${size} AS size FROM ${kind}`).iterate()) {
      const file = join(volumes, `${kind}-${row.id}`);
      writeFileSync(file, '');
      truncateSync(file, Number(row.size) * 1024 ** 3);
    }
  database.close();
}

/** Seconds from the command to the first list of volumes that is not empty. */
async function firstAnswer(set: readonly string[]): Promise<number> {
  const port = await freePort();
  const begun = performance.now();
  const child = spawn(
    join(THIS_BUILD.root, 'bin', 'pumice'),
    ['serve', ...set, '--set', `api.port=${port}`, '--set', 'log.level=warn'],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  remember(child);
  const url = `http://127.0.0.1:${port}${path('/volumes/detail?all_tenants=1&limit=100')}`;
  for (;;) {
    const answer = await fetch(url, { headers: HEADERS }).then(
      (response) => response.json() as Promise<{ readonly volumes?: readonly object[] }>,
      () => undefined,
    );
    if (answer?.volumes?.length === 100) break;
    if (child.exitCode !== null) throw new Error(`The service ended with ${child.exitCode}.`);
    await delay(BETWEEN_LOOKS_MS);
  }
  const seconds = (performance.now() - begun) / 1000;
  child.kill('SIGTERM');
  await once(child, 'exit');
  return seconds;
}

async function watched(args: readonly string[]): Promise<{ readonly seconds: number; readonly megabytes: number }> {
  const begun = performance.now();
  // It becomes Node, in the same process.
  const child = spawn(join(THIS_BUILD.root, 'bin', 'pumice'), args, {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  remember(child);
  const ended = once(child, 'close');
  const peak = await peakOf(child);
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`An import ended with ${code}.`);
  return { seconds: (performance.now() - begun) / 1000, megabytes: peak };
}

async function peakOf(child: ChildProcess): Promise<number> {
  let peak = 0;
  while (child.exitCode === null && child.signalCode === null) {
    try {
      const [, kib] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
      if (kib !== undefined) peak = (Number(kib) * 1024) / MB;
    } catch {
      // It has just ended.
    }
    await delay(BETWEEN_LOOKS_MS);
  }
  return peak;
}

async function dumpOf(world: World, url: string, volumes: number): Promise<number> {
  const { port } = new URL(url);
  const file = openSync(join(newDirectory(world), 'dump.sql'), 'w');
  const begun = performance.now();
  const dump = ['--no-defaults', '--host=127.0.0.1', `--port=${port}`, '--user=root', '--single-transaction'];
  const child = spawn('mysqldump', [...dump, nameOf(volumes)], { stdio: ['ignore', file, 'inherit'] });
  remember(child);
  const [code] = (await once(child, 'close')) as [number | null];
  closeSync(file);
  if (code !== 0) throw new Error(`mysqldump ended with ${code}.`);
  return (performance.now() - begun) / 1000;
}
