/**
 * New code and the flows it finds in flight.
 *
 * A flow is pinned to its name and version. When that version is registered its journal must fit it. When only another
 * version is there: steps that are a prefix of its nodes go on; else, if each task that would have to be reverted is
 * known by its path, the flow is taken back; else nobody knows how to undo what it did, and the process refuses to
 * start, naming it.
 */

import type { Json } from '../lib/json.ts';
import { advance, begin, type Cursor, JournalMismatch, replay, type Step } from './cursor.ts';
import { failureOf, Interrupted } from './failure.ts';
import type { AnyFlow, TaskNode } from './flow.ts';
import type { FlowRow } from './journal.ts';
import type { Outcome } from './task.ts';

/** The flows this process knows, all versions of them. */
export class Registry {
  readonly #flows = new Map<string, AnyFlow>();

  constructor(flows: readonly AnyFlow[]) {
    for (const flow of flows) {
      const key = `${flow.name}@${flow.version}`;
      if (this.#flows.has(key)) throw new Error(`Two flows are called ${key}.`);
      this.#flows.set(key, flow);
    }
  }

  /** The version asked for, else the newest of that name. */
  find(name: string, version: number): AnyFlow | undefined {
    const named = [...this.#flows.values()].filter((flow) => flow.name === name);
    return this.#flows.get(`${name}@${version}`) ?? named.sort((a, b) => b.version - a.version)[0];
  }

  all(): readonly AnyFlow[] {
    return [...this.#flows.values()];
  }
}

/** A flow in flight that this code can neither finish nor undo. */
export class UnknownFlow extends Error {
  override readonly name = 'UnknownFlow';
}

/** Where a flow found in the journal stands. Rejects with `UnknownFlow`. */
export function resume(registry: Registry, row: FlowRow, steps: readonly Step[]): Cursor {
  const flow = registry.find(row.name, row.version);
  if (!flow) throw new UnknownFlow(`Flow ${row.id} is a ${row.name}@${row.version}, which this version does not know.`);
  try {
    return { ...replay(flow, row.input, steps), stuck: false };
  } catch (error) {
    if (!(error instanceof JournalMismatch)) throw error;
    return takenBack(flow, row, steps);
  }
}

/** A cursor that only reverts: what started is found by path, wherever it stands now. */
function takenBack(flow: AnyFlow, row: FlowRow, steps: readonly Step[]): Cursor {
  const known = new Map(
    flow.nodes
      .flatMap((node) => (node.kind === 'task' ? [node] : node.kind === 'parallel' ? node.branches : []))
      .map((node) => [node.path, node]),
  );
  const started: { node: TaskNode; index: number; outcome: Outcome<Json> }[] = [];
  for (const step of steps) {
    if (step.event === 'rejected') started.length = 0;
    if (step.event === 'reverted') started.splice(started.findLastIndex(({ node }) => node.path === step.node));
    if (step.event !== 'done' && step.event !== 'failed') continue;
    const node = known.get(step.node);
    if (!node)
      throw new UnknownFlow(
        `Flow ${row.id} (${row.name}@${row.version}) ran ${step.node}, which this version does not know how to revert.`,
      );
    started.push({
      node,
      index: 0,
      outcome: step.event === 'done' ? { is: 'done', result: step.data } : { is: 'interrupted' },
    });
  }
  const failure = failureOf(new Interrupted(`Its tasks changed in ${flow.name}@${flow.version}.`), 'upgrade');
  const turned = advance(begin(flow, row.input), {
    node: 'upgrade',
    event: 'cancelled',
    attempt: 1,
    data: { failure, interrupted: false } as unknown as Json,
    startedAt: null,
    at: failure.at,
  });
  return { ...turned, started };
}
