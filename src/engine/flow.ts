/**
 * A flow: a list of named nodes, built once when its module loads.
 *
 * Because a flow is data, recovery is a cursor into the list and not a replay of code, and the journals of flows in
 * flight can be checked against new code before it runs. The builder's type carries the store: what the input and
 * earlier tasks provide. A task whose needs are not there, come later or have another type, a name provided twice, and
 * a flow whose input lacks something do not compile.
 *
 * - `add` a task; `rebind` reads a needed name from another one.
 * - `parallel`: the tasks of one stage run at once and do not see each other's results.
 * - `sub`: the tasks of another flow, under its name.
 * - `when`: a sub-flow only if the predicate holds; the answer is journaled, so it is asked once.
 * - `lane`: from here on the flow runs where the function says, as `host:<host>`.
 * - `attempts`: a span that is reverted and tried again while its failure says `elsewhere`.
 */
import type { Json } from '../lib/json.ts';
import type { Rejection, Task, TaskBody } from './task.ts';

export type Store = Readonly<Record<string, Json | undefined>>;

export interface TaskNode {
  readonly kind: 'task';
  readonly path: string;
  readonly record: boolean;
  readonly body: TaskBody;
  /** Needed name → name in the store. */
  readonly rebind: Readonly<Record<string, string>>;
}
export interface ParallelNode {
  readonly kind: 'parallel';
  readonly path: string;
  readonly branches: readonly TaskNode[];
}
export interface WhenNode {
  readonly kind: 'when';
  readonly path: string;
  readonly predicate: (store: object) => boolean;
  /** Index of the node after the sub-flow. */
  readonly skipTo: number;
}
export interface LaneNode {
  readonly kind: 'lane';
  readonly path: string;
  readonly lane: (store: object) => string;
}
export interface SpanNode {
  readonly kind: 'span';
  readonly path: string;
  readonly options: AttemptsOptions<object, unknown, unknown>;
  /** Index of the node after the span. */
  readonly end: number;
}
export type Node = TaskNode | ParallelNode | WhenNode | LaneNode | SpanNode;

/** `Input` and `Provides` are phantoms. */
export interface Flow<Input extends object, Provides extends object> {
  readonly name: string;
  readonly version: number;
  readonly nodes: readonly Node[];
  readonly input?: (input: Input) => void;
  readonly store?: Provides;
}
// biome-ignore lint/suspicious/noExplicitAny: any flow at all; its phantoms are contravariant
export type AnyFlow = Flow<any, any>;

/** When a span is tried again, and what is kept of the try that failed. */
export interface AttemptsOptions<S extends object, Tools, Tx> {
  /** Tries in all. */
  limit(tools: Tools): number;
  /** A record, in the transaction that journals the rejection: put the rows back for the next try. */
  rejected?(
    store: S,
    rejection: Rejection,
    context: { readonly tx: Tx; readonly tools: Tools; readonly flowId: string; readonly requestId: string },
  ): Promise<void> | void;
  /** What the failed try had chosen, to be kept with it: `({ pool }) => pool`. Names of the span may be missing. */
  remember?(store: Store): Json;
}

type Missing<S, R> = {
  [K in keyof R as K extends keyof S ? (S[K] extends R[K] ? never : K) : undefined extends R[K] ? never : K]: R[K];
};
type Check<S, R, P> = [keyof Missing<S, R>] extends [never]
  ? [keyof S & keyof P] extends [never]
    ? unknown
    : { readonly 'ERROR: already provided': keyof S & keyof P }
  : { readonly 'ERROR: nobody provides': keyof Missing<S, R> };
type Merge<S, P> = { [K in keyof S | keyof P]: K extends keyof P ? P[K] : K extends keyof S ? S[K] : never };
type Maybe<P> = { [K in keyof P]: P[K] | undefined };
type Needs<T> = T extends Task<infer R, infer _> ? R : never;
type Gives<T> = T extends Task<infer _, infer P> ? P : never;
type All<T> = (T extends unknown ? (x: Gives<T>) => void : never) extends (x: infer I) => void ? I & object : never;
// biome-ignore lint/suspicious/noExplicitAny: any task at all
type AnyTask = Task<any, any>;

export interface FlowBuilder<I extends object, S extends object, Tools, Tx> {
  add<R extends object, P extends object>(task: Task<R, P> & Check<S, R, P>): FlowBuilder<I, Merge<S, P>, Tools, Tx>;
  add<R extends object, P extends object, const B extends { readonly [K in keyof R]?: keyof S }>(
    task: Task<R, P> & Check<S, Omit<R, keyof B>, P>,
    options: {
      readonly rebind: B & {
        [K in keyof B]: B[K] extends keyof S
          ? K extends keyof R
            ? S[B[K]] extends R[K]
              ? B[K]
              : never
            : never
          : never;
      };
    },
  ): FlowBuilder<I, Merge<S, P>, Tools, Tx>;
  parallel<const T extends readonly AnyTask[]>(
    ...tasks: { [i in keyof T]: T[i] & Check<S, Needs<T[i]>, Gives<T[i]>> }
  ): FlowBuilder<I, Merge<S, All<T[number]>>, Tools, Tx>;
  sub<R extends object, P extends object>(
    flow: Flow<R, P> & Check<S, R, Omit<P, keyof R>>,
  ): FlowBuilder<I, Merge<S, Omit<P, keyof R>>, Tools, Tx>;
  when<R extends object, P extends object>(
    name: string,
    predicate: (store: S) => boolean,
    flow: Flow<R, P> & Check<S, R, Omit<P, keyof R>>,
  ): FlowBuilder<I, Merge<S, Maybe<Omit<P, keyof R>>>, Tools, Tx>;
  lane(lane: (store: S) => string): FlowBuilder<I, S, Tools, Tx>;
  attempts<P extends object>(
    name: string,
    options: AttemptsOptions<S, Tools, Tx>,
    span: (builder: FlowBuilder<I, S, Tools, Tx>) => FlowBuilder<I, P, Tools, Tx>,
  ): FlowBuilder<I, P, Tools, Tx>;
  /** The version is raised when recorded steps would mean something else. */
  build(options: { readonly version: number }): Flow<I, S>;
}

/** The flow maker over these tools and this transaction: `flow<Input>('create_volume').add(…)`. */
export function flowsOver<Tools, Tx>() {
  return function flow<Input extends object>(name: string): FlowBuilder<Input, Input, Tools, Tx> {
    return new Builder(name) as unknown as FlowBuilder<Input, Input, Tools, Tx>;
  };
}

class Builder {
  readonly #name: string;
  readonly #nodes: Node[] = [];
  readonly #paths = new Set<string>();
  #inSpan = false;

  constructor(name: string) {
    this.#name = name;
  }

  add(task: AnyTask, options?: { rebind?: Record<string, string> }): this {
    return this.#push(taskNode(task, options?.rebind ?? {}));
  }

  parallel(...tasks: AnyTask[]): this {
    const branches = tasks.map((task) => taskNode(task, {}));
    for (const branch of branches) {
      if (branch.record)
        throw new Error(`${this.#name}: ${branch.path} is a record; only world tasks run in parallel.`);
      this.#claim(branch.path);
    }
    return this.#push({ kind: 'parallel', path: branches.map(({ path }) => path).join('+'), branches });
  }

  sub(flow: AnyFlow): this {
    this.#graft(flow);
    return this;
  }

  when(name: string, predicate: (store: object) => boolean, flow: AnyFlow): this {
    this.#push({ kind: 'when', path: name, predicate, skipTo: this.#nodes.length + 1 + flow.nodes.length });
    this.#graft(flow);
    return this;
  }

  lane(lane: (store: object) => string): this {
    return this.#push({ kind: 'lane', path: `lane-${this.#nodes.length}`, lane });
  }

  attempts(name: string, options: AttemptsOptions<object, unknown, unknown>, span: (builder: this) => unknown): this {
    if (this.#inSpan) throw new Error(`${this.#name}: spans of attempts do not nest.`);
    this.#inSpan = true;
    this.#claim(name);
    const start = this.#nodes.length;
    this.#nodes.push({ kind: 'span', path: name, options, end: start });
    span(this);
    this.#nodes[start] = { kind: 'span', path: name, options, end: this.#nodes.length };
    this.#inSpan = false;
    return this;
  }

  build({ version }: { version: number }): AnyFlow {
    return Object.freeze({ name: this.#name, version, nodes: Object.freeze([...this.#nodes]) });
  }

  #push(node: Node): this {
    this.#claim(node.path);
    this.#nodes.push(node);
    return this;
  }

  /** A journal finds its nodes by path, so a path stands for one node. */
  #claim(path: string): void {
    if (this.#paths.has(path)) throw new Error(`${this.#name}: two nodes are called ${path}.`);
    this.#paths.add(path);
  }

  /** Places another flow's nodes here, under its name. */
  #graft(flow: AnyFlow): void {
    const offset = this.#nodes.length;
    const under = (path: string): string => `${flow.name}/${path}`;
    for (const node of flow.nodes) {
      if (node.kind === 'span' && this.#inSpan) throw new Error(`${this.#name}: spans of attempts do not nest.`);
      if (node.kind === 'parallel') {
        const branches = node.branches.map((branch) => ({ ...branch, path: under(branch.path) }));
        for (const branch of branches) this.#claim(branch.path);
        this.#push({ ...node, path: under(node.path), branches });
      } else if (node.kind === 'when') this.#push({ ...node, path: under(node.path), skipTo: node.skipTo + offset });
      else if (node.kind === 'span') this.#push({ ...node, path: under(node.path), end: node.end + offset });
      else this.#push({ ...node, path: under(node.path) });
    }
  }
}

function taskNode(task: AnyTask, rebind: Record<string, string>): TaskNode {
  return { kind: 'task', path: task.name, record: task.kind === 'record', body: task.body, rebind };
}
