/** On which machine a part is measured and with what, and bench/RESULTS.md, where its section is kept. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { DatabaseSync } from 'node:sqlite';
import { now } from '../src/lib/clock.ts';
import { pythonWithTaskflow } from './flows.ts';
import { PARTS } from './parts.ts';
import { beside } from './processes.ts';
import { merged, type Section } from './sections.ts';
import { postgresqlVersion, syncMs, type World } from './world.ts';

/** Before anything of a part is measured: the load is the neighbours'. */
export async function describeMachine(world: World): Promise<readonly string[]> {
  const [load = 0] = loadavg();
  const [cpu] = cpus();
  const commit = output('git', ['rev-parse', '--short', 'HEAD']);
  const changed = output('git', ['status', '--porcelain', '--', 'src']) === '' ? '' : ', with changes';
  const other = world.other === undefined ? '' : `, beside ${world.other.name}`;
  const sqlite = new DatabaseSync(':memory:').prepare('SELECT sqlite_version() AS version').get();
  const python = pythonWithTaskflow();
  const taskflow = python && output(python, ['-c', 'from taskflow import version as v; print(v.version_string())']);
  return [
    `${now().slice(0, 10)}, Pumice at ${commit}${changed}${other}; median of at most ${world.rounds} rounds (range)`,
    `${availableParallelism()} × ${cpu?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}; ` +
      `load before the run ${load.toFixed(1)}; a sync of one page takes the disk ${syncMs(world).toFixed(2)} ms`,
    `Node ${process.version}, SQLite ${sqlite?.version}, PostgreSQL ${await postgresqlVersion(world)} with fsync, ` +
      `TaskFlow ${taskflow ?? 'not installed'}${python ? ` on ${output(python, ['--version'])}` : ''}`,
  ];
}

/** Returns the path of the file. */
export function writeSection(section: Section): string {
  const file = beside('RESULTS.md');
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  writeFileSync(file, merged(before, section, Object.keys(PARTS)));
  return file;
}

function output(program: string, args: readonly string[]): string {
  return spawnSync(program, args, { encoding: 'utf8', cwd: beside('.') }).stdout?.trim() ?? '';
}
