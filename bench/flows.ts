/**
 * The engine's own speed: flows of six tasks that do nothing, durable in ours, beside Python TaskFlow's, which keeps nothing, and
 * beside a bare program that commits the same rows (`bare-flows.ts`), which is the limit. Real flows spend their time on backends;
 * what is measured here is what the journal costs them.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Part } from './part.ts';
import { beside, result } from './processes.ts';
import { quantity, type Result, type Row, ratios, type Wanted } from './report.ts';
import { rounds } from './rounds.ts';
import { DIALECTS, type Dialect, dropDatabase, newDatabase, type World } from './world.ts';

/** Of ours; TaskFlow runs a tenth of it, and takes longer for that. */
const FLOWS = 4_000;

export interface FlowFigures {
  readonly perSecond: number;
  readonly cpuMs: number;
  readonly commits: number;
  /** Of a flow that runs alone. */
  readonly latencyMs: number;
}

const TIMES_TASKFLOW = { sqlite: 60, postgresql: 30 } as const;

export const flows: Part = {
  limit:
    'A flow of six tasks is seven durable commits, which fifty flows share: what a bare program that commits the ' +
    'same rows makes of them is the limit.',
  measure: measureFlows,
};

async function measureFlows(world: World): Promise<Result[]> {
  const python = pythonWithTaskflow();
  const taskflow = (): Promise<FlowFigures> =>
    result(python ?? '', [beside('flows-taskflow.py'), String(Math.ceil(FLOWS / 10 / world.haste))]);
  const results: Result[] = [];
  for (const dialect of ['sqlite', 'postgresql'] as const) {
    const figure = `durable flows of six tasks, 50 in flight, ${DIALECTS[dialect]}`;
    if (dialect === 'postgresql' && 'missing' in world.postgresql) {
      results.push({ figure, skipped: world.postgresql.missing });
      continue;
    }
    const subjects = {
      ours: () => newFlows(world, dialect),
      bare: () => newFlows(world, dialect, 'bare-flows.ts'),
      ...(python && { taskflow }),
    };
    const measured = await rounds(world.rounds, subjects, world.tell);
    results.push(...told(dialect, measured.ours, measured.bare, measured.taskflow));
  }
  if (python === undefined)
    results.push({
      figure: 'beside Python TaskFlow',
      skipped: 'to have it, type: sudo apt-get install python3-taskflow',
    });
  return results;
}

async function newFlows(world: World, dialect: Dialect, program?: string): Promise<FlowFigures> {
  const url = await newDatabase(world, dialect);
  const figures = await flowsIn(world, url, program);
  await dropDatabase(world, url);
  return figures;
}

export function flowsIn(world: World, url: string, program = 'flows-pumice.ts'): Promise<FlowFigures> {
  return result(process.execPath, [beside(program), url, String(FLOWS / world.haste)]);
}

function told(
  dialect: Dialect,
  ours: readonly FlowFigures[],
  bare: readonly FlowFigures[],
  theirs: readonly FlowFigures[] = [],
): Result[] {
  const of = (figures: readonly FlowFigures[], name: keyof FlowFigures): number[] => figures.map((each) => each[name]);
  const name = DIALECTS[dialect];
  const row = (
    figure: string,
    key: keyof FlowFigures,
    unit: string,
    what: string,
    peer: readonly FlowFigures[],
    isLimit?: true,
  ): Row => ({
    figure: `${figure}, ${name}`,
    measured: quantity(of(ours, key), unit),
    ...(peer.length > 0 && {
      beside: { what, quantity: quantity(of(peer, key), unit), ...(isLimit && { isLimit }) },
      ratio: ratios(of(ours, key), of(peer, key)),
    }),
  });
  const besideTaskflow = (figure: string, key: keyof FlowFigures, unit: string): Row =>
    row(figure, key, unit, 'TaskFlow in memory', theirs);
  const besideBare = (figure: string, key: keyof FlowFigures, unit: string): Row =>
    row(figure, key, unit, 'bare commits of the same rows', bare, true);
  const wanted = (each: Row, bound: Omit<Wanted, 'of'>): Row =>
    each.ratio === undefined ? each : { ...each, wanted: { of: 'ratio', ...bound } };
  return [
    wanted(besideTaskflow('durable flows of six tasks, 50 in flight', 'perSecond', '/s'), {
      atLeast: TIMES_TASKFLOW[dialect],
    }),
    besideBare('durable flows of six tasks, 50 in flight', 'perSecond', '/s'),
    wanted(besideTaskflow('latency of one such flow', 'latencyMs', 'ms'), { atMost: 1 }),
    besideBare('latency of one such flow', 'latencyMs', 'ms'),
    besideTaskflow('CPU of a flow', 'cpuMs', 'ms'),
    besideBare('CPU of a flow', 'cpuMs', 'ms'),
    besideBare('durable commits a flow, 50 in flight', 'commits', ''),
  ];
}

/** Debian's package is seen by Debian's Python only, which need not be the first in PATH. */
export function pythonWithTaskflow(): string | undefined {
  return ['/usr/bin/python3', 'python3'].find(
    (python) =>
      (!python.startsWith('/') || existsSync(python)) && spawnSync(python, ['-c', 'import taskflow']).status === 0,
  );
}
