/**
 * The registry of flows by version, and what becomes of a flow in flight when the code is upgraded.
 *
 * A flow is pinned to its name and version. Where that version is registered, the journal must fit it. Where only a newer one
 * is: a flow whose steps are a prefix of the newer nodes goes on; else, if each task that would have to be reverted is
 * known by its path, the flow is taken back; else nobody knows how to undo what it did, and the process refuses to
 * start, naming it.
 */

import { carry } from './carry.ts';
import { begin, type Cursor, JournalMismatch, outcomeOf, replay } from './cursor.ts';
import { type Failure, failureOf, Interrupted } from './failure.ts';
import type { AnyFlow, LaneNode, Node, Store, TaskNode } from './flow.ts';
import type { FlowRow } from './journal.ts';
import { isProgress, type Step } from './step.ts';
import type { Outcome, TaskResult } from './task.ts';

/** The flows this process knows, all versions of them. */
export class Registry {
  readonly #flows = new Map<string, AnyFlow>();
  readonly #newest = new Map<string, AnyFlow>();

  constructor(flows: readonly AnyFlow[]) {
    for (const flow of flows) {
      const key = `${flow.name}@${flow.version}`;
      if (this.#flows.has(key)) throw new Error(`Two flows are called ${key}.`);
      this.#flows.set(key, flow);
      if (flow.version > (this.newest(flow.name)?.version ?? 0)) this.#newest.set(flow.name, flow);
    }
  }

  has({ name, version }: Pick<AnyFlow, 'name' | 'version'>): boolean {
    return this.#flows.has(`${name}@${version}`);
  }

  /** The version asked for, else a newer one. An older one may mean something else by what was recorded. */
  find(name: string, version: number): AnyFlow | undefined {
    const newest = this.newest(name);
    return this.#flows.get(`${name}@${version}`) ?? (newest && newest.version > version ? newest : undefined);
  }

  newest(name: string): AnyFlow | undefined {
    return this.#newest.get(name);
  }

  /** The newest version of each name. */
  all(): readonly AnyFlow[] {
    return [...this.#newest.values()];
  }
}

/** A flow that this code can neither finish nor undo: in flight, or about to begin. */
export class UnknownFlow extends Error {
  override readonly name = 'UnknownFlow';
}

/** Where a flow found in the journal stands. Throws `UnknownFlow`. */
export function resume(registry: Registry, row: FlowRow, steps: readonly Step[]): Cursor {
  const flow = registry.find(row.name, row.version);
  if (!flow) {
    const newest = registry.newest(row.name);
    const known =
      newest === undefined ? 'this version does not know' : `is newer than ${newest.version}, the last known`;
    throw new UnknownFlow(`Flow ${row.id} is a ${row.name}@${row.version}, which ${known}.`);
  }
  const input = carry(row.input, row.name);
  try {
    return { ...replay(flow, input, steps), stuck: false };
  } catch (error) {
    if (!(error instanceof JournalMismatch)) throw error;
    return takenBack(flow, row, steps);
  }
}

/**
 * A cursor that only reverts: what started is found by path, wherever it stands now. What the process may have died in
 * left no step; it is taken to be what follows the last task in the new flow.
 */
function takenBack(flow: AnyFlow, row: FlowRow, steps: readonly Step[]): Cursor {
  const known = new Map(flow.nodes.flatMap(tasksOf).map((node) => [node.path, node]));
  const started: { readonly path: string; readonly started: Cursor['started'][number] | undefined }[] = [];
  const failures: Failure[] = [];
  let turned = false;
  const start = (path: string, outcome: Outcome<TaskResult>): void => {
    const node = known.get(path);
    started.push({ path, started: node && { node, index: 0, outcome } });
  };
  for (const step of steps) {
    const { node, event } = step;
    if (step.event === 'done' || step.event === 'failed') start(node, outcomeOf(step));
    if (step.event === 'cancelled' && step.data.interrupted)
      for (const path of node.split('+')) start(path, { is: 'interrupted' });
    if (step.event === 'chosen' && typeof step.data === 'string')
      started.push({ path: node, started: { node: laneTo(node, step.data), index: 0, lane: step.data } });
    if (step.event === 'failed' || step.event === 'cancelled') failures.push(step.data.failure);
    const place =
      event === 'reverted' || event === 'abandoned' ? started.findLastIndex(({ path }) => path === node) : -1;
    if (place >= 0) started.length = place;
    if (event === 'rejected') failures.length = 0;
    if (isProgress([step]))
      turned = event === 'failed' || event === 'cancelled' || event.startsWith('revert') || event === 'abandoned';
  }
  if (!turned) for (const path of following(flow, started.at(-1)?.path)) start(path, { is: 'interrupted' });
  const lost = started.find((each) => each.started === undefined);
  if (lost !== undefined)
    throw new UnknownFlow(
      `Flow ${row.id} (${row.name}@${row.version}) ran ${lost.path}, which this version does not know how to revert.`,
    );
  const entries = started.flatMap((each) => each.started ?? []);
  const store: Store = Object.assign({}, row.input, ...entries.map(resultOf));
  failures.push(failureOf(new Interrupted(`Its tasks changed in ${flow.name}@${flow.version}.`), 'upgrade'));
  return { ...begin(flow, row.input), reverting: true, final: true, started: entries, store, failures };
}

/** The world tasks after the last one that is known to have run. */
function following(flow: AnyFlow, last: string | undefined): readonly string[] {
  const place = flow.nodes.findIndex((node) => tasksOf(node).some(({ path }) => path === last));
  const next = flow.nodes.slice(place + 1).find((node) => tasksOf(node).length > 0);
  return next === undefined ? [] : tasksOf(next).flatMap(({ path, record }) => (record ? [] : [path]));
}

const tasksOf = (node: Node): readonly TaskNode[] =>
  node.kind === 'task' ? [node] : node.kind === 'parallel' ? node.branches : [];

const laneTo = (path: string, lane: string): LaneNode => ({ kind: 'lane', path, lane: () => lane });

const resultOf = (each: Cursor['started'][number]): TaskResult =>
  'outcome' in each && each.outcome.is === 'done' ? each.outcome.result : null;
