/**
 * Faults planted in a flow: a flow is data, so the same flow is made again with bodies that fail, run twice, or stop to let
 * the test do something. Nothing of the flow or the engine knows of it.
 */
import type { AnyFlow, Node, TaskNode } from '../../src/engine/flow.ts';
import type { TaskBody } from '../../src/engine/task.ts';

/** What is done to the call of a task or its revert; `work` does the work. */
export type Around = (call: {
  readonly node: TaskNode;
  readonly context: { readonly signal?: AbortSignal; readonly flowId: string };
  work(): Promise<unknown>;
}) => Promise<unknown>;

export interface Plan {
  readonly execute?: Around;
  readonly revert?: Around;
}

/** A failure that somebody planted. */
export class Planted extends Error {
  override readonly name = 'Planted';
  readonly elsewhere: boolean;
  constructor(where: string, { elsewhere = false } = {}) {
    super(`Planted: ${where}.`);
    this.elsewhere = elsewhere;
  }
}

/** The flow with every task's work in the hands of the plan, and no pause before another try. */
export function planted(flow: AnyFlow, plan: Plan): AnyFlow {
  const nodes = flow.nodes.map((node): Node => {
    if (node.kind === 'parallel') return { ...node, branches: node.branches.map((branch) => inHands(branch, plan)) };
    return node.kind === 'task' ? inHands(node, plan) : node;
  });
  return { ...flow, nodes };
}

export const tasksOf = (flow: AnyFlow): readonly TaskNode[] =>
  flow.nodes.flatMap((node) => (node.kind === 'task' ? [node] : node.kind === 'parallel' ? node.branches : []));

/** Paths of the tasks that stand in a span of attempts. */
export const inSpans = (flow: AnyFlow): ReadonlySet<string> =>
  new Set(
    flow.nodes.flatMap((span, index) =>
      span.kind === 'span'
        ? tasksOf({ ...flow, nodes: flow.nodes.slice(index, span.end) }).map(({ path }) => path)
        : [],
    ),
  );

type Work = (...args: readonly unknown[]) => unknown;

function inHands(node: TaskNode, plan: Plan): TaskNode {
  const { execute, revert, retry } = node.body;
  const body: TaskBody = {
    ...node.body,
    retry: { ...retry, backoffMs: 0, maxBackoffMs: 0 },
    ...(execute && plan.execute && { execute: around(node, execute as Work, plan.execute, 1) as never }),
    ...(revert && plan.revert && { revert: around(node, revert as Work, plan.revert, 2) as never }),
  };
  return { ...node, body };
}

function around(node: TaskNode, work: Work, plan: Around, contextAt: number): Work {
  return (...args) => plan({ node, context: args[contextAt] as never, work: async () => work(...args) });
}
