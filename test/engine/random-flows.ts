/**
 * Flows by chance, with faults and crashes by chance, and what their journals must say, told again independently of the
 * engine: a stack of what has started.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { AnyFlow } from '../../src/engine/flow.ts';
import type { Step } from '../../src/engine/step.ts';
import type { Task } from '../../src/engine/task.ts';
import type { Moment } from './faulty-journal.ts';
import { Broken, type Call, flow, looks, obligation, record, type Tools, world } from './tasks.ts';

type Spec =
  | { readonly kind: 'world' | 'once' | 'looks' | 'record' | 'owes' }
  | { readonly kind: 'lane'; readonly lane: string }
  | { readonly kind: 'parallel'; readonly tasks: number }
  | { readonly kind: 'when'; readonly holds: boolean; readonly nodes: readonly Spec[] }
  | { readonly kind: 'span'; readonly limit: number; readonly nodes: readonly Spec[] };

/** What goes wrong at the task or revert with this number, counted over the flow. */
type Fault =
  | { readonly at: number; readonly is: 'fails' }
  | { readonly at: number; readonly is: 'fails-elsewhere'; readonly attempts: number }
  | { readonly at: number; readonly is: 'fails-once' }
  | { readonly at: number; readonly is: 'revert-fails'; readonly times: number };

export interface Story {
  readonly nodes: readonly Spec[];
  readonly faults: readonly Fault[];
  readonly crashes: readonly { readonly write: number; readonly moment: Moment }[];
  /** At this write of the first life the flow is cancelled; at -1, before anything has run. */
  readonly cancelAt: number | null;
}

const leaf: fc.Arbitrary<Spec> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: 'world' } as const) },
  { weight: 3, arbitrary: fc.constant({ kind: 'record' } as const) },
  fc.constantFrom({ kind: 'looks' } as const, { kind: 'owes' } as const, { kind: 'once' } as const),
  fc.constantFrom('control', 'host:a', 'host:b').map((lane) => ({ kind: 'lane', lane }) as const),
  fc.integer({ min: 2, max: 3 }).map((tasks) => ({ kind: 'parallel', tasks }) as const),
);
const chosen: fc.Arbitrary<Spec> = fc.record({
  kind: fc.constant('when' as const),
  holds: fc.boolean(),
  nodes: fc.array(leaf, { minLength: 1, maxLength: 3 }),
});
const inner = fc.array(fc.oneof({ weight: 5, arbitrary: leaf }, chosen), { minLength: 1, maxLength: 4 });
const span = fc.record({
  kind: fc.constant('span' as const),
  limit: fc.integer({ min: 1, max: 3 }),
  nodes: inner,
});

export const stories: fc.Arbitrary<Story> = fc.record({
  nodes: fc
    .tuple(fc.boolean(), inner, fc.option(span), fc.array(leaf, { maxLength: 3 }))
    .map(([owes, before, tried, after]) => [
      ...(owes ? [{ kind: 'owes' } as const] : []),
      ...before,
      ...(tried ? [tried] : []),
      ...after,
    ]),
  faults: fc.array(
    fc.oneof(
      fc.record({ at: fc.nat(9), is: fc.constant('fails' as const) }),
      fc.record({
        at: fc.nat(9),
        is: fc.constant('fails-elsewhere' as const),
        attempts: fc.integer({ min: 1, max: 3 }),
      }),
      fc.record({ at: fc.nat(9), is: fc.constant('fails-once' as const) }),
      fc.record({ at: fc.nat(9), is: fc.constant('revert-fails' as const), times: fc.integer({ min: 1, max: 4 }) }),
    ),
    { maxLength: 3 },
  ),
  crashes: fc.array(fc.record({ write: fc.nat(5), moment: fc.constantFrom<Moment>('before', 'after') }), {
    maxLength: 4,
  }),
  cancelAt: fc.option(fc.integer({ min: -1, max: 4 }), { freq: 2 }),
});

interface Building {
  add(task: unknown): Building;
  parallel(...tasks: readonly unknown[]): Building;
  when(name: string, predicate: () => boolean, flow: AnyFlow): Building;
  lane(lane: () => string): Building;
  attempts(name: string, options: { limit(): number }, span: (builder: Building) => Building): Building;
  build(options: { version: number }): AnyFlow;
}
const building = (name: string): Building => flow<object>(name) as unknown as Building;

/** Names of tasks are `t0`, `t1` … in the order of the flow; a path in a sub-flow ends with the name. */
export const nameOf = (path: string): string => path.split('/').at(-1) ?? path;

export function buildFlow({ nodes }: Story, there: Set<string>): AnyFlow {
  let names = 0;
  const next = (): string => {
    names += 1;
    return `t${names - 1}`;
  };
  const place = (builder: Building, specs: readonly Spec[]): Building => {
    for (const spec of specs) {
      if (spec.kind === 'lane') builder.lane(() => spec.lane);
      else if (spec.kind === 'parallel')
        builder.parallel(...Array.from({ length: spec.tasks }, () => taskOf('world', next(), there)));
      else if (spec.kind === 'when') {
        const name = next();
        builder.when(
          `${name}-holds`,
          () => spec.holds,
          place(building(`${name}-sub`), spec.nodes).build({ version: 1 }),
        );
      } else if (spec.kind === 'span')
        builder.attempts('span', { limit: () => spec.limit }, (within) => place(within, spec.nodes));
      else builder.add(taskOf(spec.kind, next(), there));
    }
    return builder;
  };
  return place(building('random'), nodes).build({ version: 1 });
}

function taskOf(kind: 'world' | 'once' | 'looks' | 'record' | 'owes', name: string, there: Set<string>): unknown {
  if (kind === 'looks') return looks(name);
  if (kind === 'owes')
    return obligation({
      name,
      revert: async (input: object, outcome, context) => {
        await context.tx.count(`-${name}`);
        await context.tools.on[`-${name}`]?.({ input: { ...input }, context, outcome });
      },
    });
  if (kind === 'record')
    return record({
      name,
      execute: async (input: object, context) => {
        await context.tx.count(name);
        await context.tools.on[name]?.({ input: { ...input }, context });
      },
      revert: async (input, outcome, context) => {
        if (outcome.is === 'done') await context.tx.count(`-${name}`);
        await context.tools.on[`-${name}`]?.({ input: { ...input }, context, outcome });
      },
    });
  return world({
    name,
    onInterrupt: kind === 'once' ? 'revert' : 'retry',
    retry: { tries: 2, backoffMs: 0 },
    execute: async (input: object, context) => {
      there.add(name);
      await context.tools.on[name]?.({ input: { ...input }, context });
    },
    revert: async (input, outcome, context) => {
      await context.tools.on[`-${name}`]?.({ input: { ...input }, context, outcome });
      there.delete(name);
    },
  }) satisfies Task<object, object>;
}

export function plant({ faults }: Story, tools: Tools): void {
  for (const fault of faults) {
    const name = `t${fault.at}`;
    if (fault.is === 'fails')
      tools.on[name] = () => {
        throw new Broken();
      };
    if (fault.is === 'fails-elsewhere')
      tools.on[name] = ({ context }: Call) => {
        if (context.attempt <= fault.attempts) throw new Broken('full', { elsewhere: true });
      };
    if (fault.is === 'fails-once') tools.on[name] = once();
    if (fault.is === 'revert-fails') {
      let left = fault.times;
      tools.on[`-${name}`] = () => {
        left -= 1;
        if (left >= 0) throw new Broken();
      };
    }
  }
}

function once(): () => void {
  let failed = false;
  return () => {
    const first = !failed;
    failed = true;
    if (first) throw new Broken('busy', { transient: true });
  };
}

export interface Told {
  /** What is there if the journal is right: started and not reverted. */
  readonly kept: ReadonlySet<string>;
  /** How often each record was done, and undone. */
  readonly done: ReadonlyMap<string, number>;
  readonly undone: ReadonlyMap<string, number>;
}

/** Reads a journal, and asserts that reverts go in reverse order over all that started, and over nothing else. */
export function tell(flow: AnyFlow, steps: readonly Step[]): Told {
  const tasks = new Map(
    flow.nodes
      .flatMap((node) => (node.kind === 'task' ? [node] : node.kind === 'parallel' ? node.branches : []))
      .map((node) => [node.path, node]),
  );
  const undoable = (path: string): boolean => tasks.get(path)?.body.revert !== undefined;
  const stack: { readonly path: string; readonly done: boolean }[] = [];
  const [done, undone] = [new Map<string, number>(), new Map<string, number>()];
  const add = (to: Map<string, number>, path: string): unknown => to.set(nameOf(path), (to.get(nameOf(path)) ?? 0) + 1);
  for (const { node, event, data } of steps) {
    if (event === 'done') add(done, node);
    if (event === 'done' || event === 'failed') stack.push({ path: node, done: event === 'done' });
    if (event === 'cancelled' && data.interrupted)
      for (const path of node.split('+')) stack.push({ path: withRoom(flow, node, path), done: false });
    if (event === 'reverted' || event === 'revert_failed') {
      while (stack.length > 0 && !undoable(stack.at(-1)?.path ?? '')) stack.pop();
      const top = stack.at(-1);
      assert.equal(node, top?.path, 'reverts go in reverse order');
      if (event === 'reverted') stack.pop();
      if (event === 'reverted' && top?.done) add(undone, node);
    }
    if (event === 'rejected') {
      const spanned = new Set(pathsIn(flow, node));
      while (stack.length > 0 && spanned.has(stack.at(-1)?.path ?? '')) {
        assert.ok(!undoable(stack.pop()?.path ?? ''), 'a try is undone before another begins');
      }
    }
  }
  const kept = stack.filter(({ path }) => undoable(path));
  return { kept: new Set(kept.map(({ path }) => nameOf(path))), done, undone };
}

/** A branch's path: `sub/x+sub/y` holds whole paths. */
function withRoom(flow: AnyFlow, node: string, path: string): string {
  const parallel = flow.nodes.find((each) => each.path === node);
  const branches = parallel?.kind === 'parallel' ? parallel.branches.map((branch) => branch.path) : [node];
  return branches.find((branch) => nameOf(branch) === nameOf(path)) ?? path;
}

function pathsIn(flow: AnyFlow, span: string): readonly string[] {
  const index = flow.nodes.findIndex((node) => node.path === span);
  const node = flow.nodes[index];
  if (node?.kind !== 'span') return [];
  return flow.nodes
    .slice(index, node.end)
    .flatMap((each) => (each.kind === 'parallel' ? each.branches.map(({ path }) => path) : [each.path]));
}
