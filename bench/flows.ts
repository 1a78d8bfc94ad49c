/**
 * The engine's own speed: flows of six tasks that do nothing, durable in ours, beside Python TaskFlow's, which keeps nothing.
 * Real flows spend their time on backends; what is measured here is what the journal costs them.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { beside, result } from './processes.ts';
import { quantity, type Result, ratios } from './report.ts';
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

const TIMES_TASKFLOW = { sqlite: 40, postgresql: 15 } as const;

export async function flows(world: World): Promise<Result[]> {
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
    const subjects = { ours: () => newFlows(world, dialect), ...(python && { taskflow }) };
    const measured = await rounds(world.rounds, subjects, world.tell);
    results.push(...told(dialect, measured.ours, measured.taskflow));
  }
  if (python === undefined)
    results.push({
      figure: 'beside Python TaskFlow',
      skipped: 'to have it, type: sudo apt-get install python3-taskflow',
    });
  return results;
}

async function newFlows(world: World, dialect: Dialect): Promise<FlowFigures> {
  const url = await newDatabase(world, dialect);
  const figures = await flowsIn(world, url);
  await dropDatabase(world, url);
  return figures;
}

export function flowsIn(world: World, url: string): Promise<FlowFigures> {
  return result(process.execPath, [beside('flows-pumice.ts'), url, String(FLOWS / world.haste)]);
}

function told(dialect: Dialect, ours: readonly FlowFigures[], theirs: readonly FlowFigures[] = []): Result[] {
  const of = (figures: readonly FlowFigures[], name: keyof FlowFigures): number[] => figures.map((each) => each[name]);
  const name = DIALECTS[dialect];
  const row = (figure: string, key: keyof FlowFigures, unit: string) => ({
    figure: `${figure}, ${name}`,
    measured: quantity(of(ours, key), unit),
    ...(theirs.length > 0 && {
      beside: { what: 'TaskFlow in memory', quantity: quantity(of(theirs, key), unit) },
      ratio: ratios(of(ours, key), of(theirs, key)),
    }),
  });
  const rate = row('durable flows of six tasks, 50 in flight', 'perSecond', '/s');
  const latency = row('latency of one such flow', 'latencyMs', 'ms');
  return [
    'ratio' in rate ? { ...rate, wanted: { of: 'ratio', atLeast: TIMES_TASKFLOW[dialect] } } : rate,
    'ratio' in latency ? { ...latency, wanted: { of: 'ratio', atMost: 1 } } : latency,
    row('CPU of a flow', 'cpuMs', 'ms'),
    { figure: `durable commits a flow, 50 in flight, ${name}`, measured: quantity(of(ours, 'commits'), '') },
  ];
}

/** Debian's package is seen by Debian's Python only, which need not be the first in PATH. */
export function pythonWithTaskflow(): string | undefined {
  return ['/usr/bin/python3', 'python3'].find(
    (python) =>
      (!python.startsWith('/') || existsSync(python)) && spawnSync(python, ['-c', 'import taskflow']).status === 0,
  );
}
