/** bench/RESULTS.md: what a whole run found, on which machine and with what. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { DatabaseSync } from 'node:sqlite';
import { now } from '../src/lib/clock.ts';
import { pythonWithTaskflow } from './flows.ts';
import { beside } from './processes.ts';
import { isMet, markdownTable, type Result } from './report.ts';
import { postgresqlVersion, syncMs, type World } from './world.ts';

export interface Machine {
  readonly lines: readonly string[];
}

/** Before anything is measured: the load is the neighbours'. */
export async function describeMachine(world: World): Promise<Machine> {
  const [load = 0] = loadavg();
  const [cpu] = cpus();
  const commit = output('git', ['rev-parse', '--short', 'HEAD']);
  const changed = output('git', ['status', '--porcelain', '--', 'src']) === '' ? '' : ', with changes';
  const sqlite = new DatabaseSync(':memory:').prepare('SELECT sqlite_version() AS version').get();
  const python = pythonWithTaskflow();
  const taskflow = python && output(python, ['-c', 'from taskflow import version as v; print(v.version_string())']);
  return {
    lines: [
      `${now().slice(0, 10)}, Pumice at ${commit}${changed}`,
      `${availableParallelism()} × ${cpu?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}; ` +
        `load before the run ${load.toFixed(1)}`,
      `a sync of one page takes the disk ${syncMs(world).toFixed(2)} ms`,
      `Node ${process.version}, SQLite ${sqlite?.version}, PostgreSQL ${await postgresqlVersion(world)} with fsync, ` +
        `TaskFlow ${taskflow ?? 'not installed'}${python ? ` on ${output(python, ['--version'])}` : ''}`,
      `median of ${world.rounds} rounds (range); ratios are made inside each round`,
    ],
  };
}

export function writeResults({ lines }: Machine, results: readonly Result[]): string {
  const file = beside('RESULTS.md');
  const missed = results.filter((result) => 'measured' in result && isMet(result) === false);
  const verdict =
    missed.length === 0
      ? 'Everything that is wanted was met.'
      : `Missed: ${missed.map(({ figure }) => figure).join('; ')}.`;
  writeFileSync(
    file,
    `# Results

Written by \`npm run bench\`. Times depend on the machine and its neighbours; believe the ratios, which compare what ran one
after the other in the same minute.

${lines.map((line) => `- ${line}`).join('\n')}

${markdownTable(results)}

${verdict}

For scale: the real Cinder, on two cores such as these, answered 1.7 lists of 1,000 volumes and 52 gets a second, accepted 7
creates a second, took 7 s to start and 560 MiB. It is not part of the run.
`,
  );
  return file;
}

function output(program: string, args: readonly string[]): string {
  return spawnSync(program, args, { encoding: 'utf8', cwd: beside('.') }).stdout?.trim() ?? '';
}
