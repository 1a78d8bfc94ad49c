/**
 * What moving in from a Cinder costs: all living rows into a new database on SQLite, and again with nothing changed. Beside: `mysqldump` of the
 * same MariaDB in the same round, which carries the deleted rows, too. The program runs as installed, from its bundle. And the peak of memory, with ten times fewer rows beside it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import { startMariadb } from '../test/mariadb-server.ts';
import { bundled, THIS_BUILD } from './build.ts';
import type { Part } from './part.ts';
import { remember } from './processes.ts';
import { quantity, type Result, ratios } from './report.ts';
import { rounds } from './rounds.ts';
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
      few: () => importOf(world, server.url, few),
      theirs: () => dumpOf(world, server.url, many),
    },
    world.tell,
  );
  const dumps = measured.theirs;
  const [first, again] = (['first', 'again'] as const).map((key) => measured.ours.map((each) => each[key]));
  const peak = (figures: readonly ImportFigures[]) => figures.map(({ megabytes }) => megabytes);
  const besideDump = { what: 'mysqldump', quantity: quantity(dumps, 's') };
  return [
    {
      figure: `import of ${many} volumes and ${many * 3} attachments, ${DIALECT}`,
      measured: quantity(first ?? [], 's'),
      beside: besideDump,
      ratio: ratios(first ?? [], dumps),
      wanted: { of: 'ratio', atMost: 2 },
    },
    {
      figure: `the same again, nothing changed, ${DIALECT}`,
      measured: quantity(again ?? [], 's'),
      beside: besideDump,
      ratio: ratios(again ?? [], dumps),
      wanted: { of: 'ratio', atMost: 1 },
    },
    {
      figure: `peak memory of an import, ${DIALECT}`,
      measured: quantity(peak(measured.ours), 'MB'),
      beside: { what: `${few} volumes`, quantity: quantity(peak(measured.few), 'MB') },
      ratio: ratios(peak(measured.ours), peak(measured.few)),
      wanted: { of: 'measured', atMost: 160 },
    },
  ];
}

const nameOf = (volumes: number): string => `cinder_${volumes}`;

async function importOf(world: World, url: string, volumes: number): Promise<ImportFigures> {
  const directory = newDirectory(world);
  const flags = [
    ...['import', 'run', '--from', `${url}${nameOf(volumes)}`, '--map-host', 'control1@rbd1=bench@file'],
    ...['--set', `data_directory=${directory}`, '--set', `database.url=sqlite:${join(directory, 'pumice.db')}`],
    ...['--set', 'node_name=bench', '--json'],
  ];
  const [one, two] = [await watched(flags), await watched(flags)];
  return { first: one.seconds, again: two.seconds, megabytes: Math.max(one.megabytes, two.megabytes) };
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

/** Of each volume three attachments, half a snapshot, three rows of metadata; of each living row two deleted ones. */
async function cinderOf(url: string, volumes: number): Promise<void> {
  const connection = await mysql.createConnection({ uri: url, multipleStatements: true });
  const schema = readFileSync(join(import.meta.dirname, '..', 'test', 'import', 'fixtures', 'zed-mysql.sql'), 'utf8');
  await connection.query(`CREATE DATABASE ${nameOf(volumes)} DEFAULT CHARACTER SET utf8mb3; USE ${nameOf(volumes)};
    SET foreign_key_checks = 0; SET unique_checks = 0; ${schema}`);
  const uuid = (kind: string): string =>
    `CONCAT(LEFT(MD5(CONCAT('${kind}', seq)), 8), '-0000-4000-8000-', LPAD(seq, 12, '0'))`;
  const stamps = "'2025-01-01 00:00:00' + INTERVAL seq SECOND, '2025-02-01 00:00:00'";
  const project = "LPAD(HEX(seq % 200), 32, '0')";
  const [type] = (await connection.query('SELECT id FROM volume_types LIMIT 1'))[0] as { id: string }[];
  const rows = (table: string, columns: string, values: string, count: number, from = 1): Promise<unknown> =>
    connection.query(`INSERT INTO \`${table}\` (${columns}) SELECT ${values} FROM seq_${from}_to_${from + count - 1}`);
  for (const [deleted, count, from] of [
    [0, volumes, 1],
    [1, volumes * 2, 10_000_001],
  ] as const) {
    await rows(
      'volumes',
      'created_at, updated_at, deleted, id, user_id, project_id, host, size, availability_zone, status, attach_status, display_name, volume_type_id, bootable, multiattach, use_quota',
      `${stamps}, ${deleted}, ${uuid('v')}, ${project}, ${project}, 'control1@rbd1#file', 1 + seq % 50, 'nova', 'in-use', 'attached', CONCAT('volume ', seq), '${type?.id}', 0, 1, 1`,
      count,
      from,
    );
    for (const key of ['a', 'b', 'c'])
      await rows(
        'volume_metadata',
        'created_at, updated_at, deleted, volume_id, `key`, value',
        `${stamps}, ${deleted}, ${uuid('v')}, '${key}', CONCAT('value ', seq)`,
        count / (deleted + 1),
        from,
      );
    for (const each of [1, 2, 3])
      await rows(
        'volume_attachment',
        'created_at, updated_at, deleted, id, volume_id, instance_uuid, attached_host, mountpoint, attach_mode, attach_status, connector, connection_info',
        `${stamps}, ${deleted}, ${uuid(`t${each}`)}, ${uuid('v')}, ${uuid('i')}, 'compute1', '/dev/vdb', 'rw', 'attached', '{"host": "compute1", "ip": "192.0.2.1"}',
         CONCAT('{"name": "volumes/volume-', ${uuid('v')}, '", "hosts": ["192.0.2.21"], "ports": ["6789"], "auth_username": "cinder", "driver_volume_type": "rbd"}')`,
        count,
        from,
      );
    await rows(
      'snapshots',
      'created_at, updated_at, deleted, id, volume_id, user_id, project_id, status, progress, volume_size, volume_type_id, use_quota',
      `${stamps}, ${deleted}, ${uuid('s')}, ${uuid('v')}, ${project}, ${project}, 'available', '100%', 1, '${type?.id}', 1`,
      Math.trunc(count / 2),
      from,
    );
  }
  await connection.end();
}
