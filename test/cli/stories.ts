/** A flow of every kind of node, rows and steps of it, for what is shown of them. Times are fixed. */
import type { Failure } from '../../src/engine/failure.ts';
import { flowsOver } from '../../src/engine/flow.ts';
import type { FlowRow } from '../../src/engine/journal.ts';
import type { Step, StepEvent, StepOf } from '../../src/engine/step.ts';
import { tasksOver } from '../../src/engine/task.ts';

export const NOW = '2026-01-31T12:00:00.000000';

/** Seconds before `NOW`. */
export const ago = (seconds: number): string =>
  `${new Date(Date.parse(`${NOW}Z`) - seconds * 1000).toISOString().slice(0, 23)}000`;

export function flowRow(given: Partial<FlowRow>): FlowRow {
  return {
    id: '3f2a91c0-5b7e-4f0e-9d55-8f6f9d3c1a11',
    name: 'make_volume',
    version: 1,
    lane: 'host:node1@east',
    state: 'running',
    input: {},
    owner: 'p1',
    epoch: 1,
    seq: 0,
    wish: null,
    wishReason: null,
    claims: 0,
    doing: null,
    resource: 'volume:1b6c2f3a-7d1e-4c52-8a43-0c2b7f1d9e01',
    projectId: 'cafe',
    requestId: 'req-7c1f',
    trace: null,
    createdAt: ago(12),
    updatedAt: ago(2),
    endedAt: null,
    ...given,
  };
}

export const failure = (given: Partial<Failure>): Failure => ({
  task: 'make_on_backend',
  name: 'BackendFull',
  message: 'There is no room on node1@east for 100 GiB.',
  trace: '',
  at: ago(9),
  transient: false,
  elsewhere: true,
  ...given,
});

/** Without data where the event has none, or a result of null. */
export function step<E extends StepEvent>(node: string, event: E, given: Partial<StepOf<E>> = {}): Step {
  return { node, event, attempt: 1, data: null, startedAt: null, at: ago(8), ...given } as Step;
}

const { world, record, obligation } = tasksOver<object, never>();
const flow = flowsOver<object, never>();
const undone = (): void => {};

const fill = flow<{ pool: string }>('fill')
  .add(world({ name: 'fetch', execute: async (_: { pool: string }) => ({ path: '' }), revert: undone }))
  .add(world({ name: 'copy', execute: async (_: { path: string }) => {} }))
  .build({ version: 1 });

/** Tried on one backend after another; filled if need be. */
export const makeVolume = flow<object>('make_volume')
  .add(obligation({ name: 'error_out', revert: undone }))
  .attempts('elsewhere', { limit: () => 3, remember: ({ pool }) => pool ?? null }, (attempt) =>
    attempt
      .add(record({ name: 'choose_pool', execute: () => ({ pool: '' }), revert: undone }))
      .lane(({ pool }) => `host:${pool}`)
      .add(world({ name: 'make_on_backend', execute: async (_: { pool: string }) => {}, revert: undone }))
      .when('from_image', () => true, fill),
  )
  .add(record({ name: 'finish;create.end', execute: () => {} }))
  .build({ version: 1 });
