/**
 * A toy for the proof of flows: a quota of things, two backends in memory, and a flow of every kind of node that makes a
 * thing on one of them; another that destroys it.
 */
import assert from 'node:assert/strict';
import type { Database } from '../../src/db/database.ts';
import type { Tx } from '../../src/db/sql/tx.ts';
import { flowsOver } from '../../src/engine/flow.ts';
import { tasksOver } from '../../src/engine/task.ts';
import type { FlowWorld } from '../prove-flow.ts';

/** Names of things, and what is in them. */
export class Backend {
  readonly things = new Map<string, string>();

  make(name: string): void {
    if (!this.things.has(name)) this.things.set(name, '');
  }

  fill(name: string, content: string): void {
    if (!this.things.has(name)) throw new Error(`There is no ${name}.`);
    this.things.set(name, content);
  }

  unmake(name: string): void {
    this.things.delete(name);
  }
}

interface Tools {
  readonly backends: ReadonlyMap<string, Backend>;
}

const { world, record, obligation } = tasksOver<Tools, Tx>();
const flow = flowsOver<Tools, Tx>();

interface Wanted {
  readonly thing: string;
  readonly content: string | null;
}

const FailThing = obligation({
  name: 'fail_thing',
  revert: async ({ thing }: Wanted, _outcome, { tx }) => setStatus(tx, thing, 'error'),
});
const Reserve = record({
  name: 'reserve',
  execute: async (_: Wanted, { tx }) => count(tx, 1),
  revert: async (_input, outcome, { tx }) => {
    if (outcome.is === 'done') await count(tx, -1);
  },
});
const Choose = record({
  name: 'choose',
  execute: (_: Wanted, { tools, rejections }) => {
    const taken = rejections.map(({ choice }) => choice);
    const backend = [...tools.backends.keys()].find((each) => !taken.includes(each));
    if (backend === undefined) throw new Error('No backend is left.');
    return { backend };
  },
});
const Make = world({
  name: 'make',
  execute: async ({ thing, backend }: Wanted & { backend: string }, { tools }) =>
    tools.backends.get(backend)?.make(thing),
  revert: async ({ thing, backend }, _outcome, { tools }) => tools.backends.get(backend)?.unmake(thing),
});
const Fetch = world({ name: 'fetch', execute: async ({ content }: Wanted) => ({ fetched: content ?? '' }) });
const Fill = world({
  name: 'fill',
  execute: async ({ thing, backend, fetched }: Wanted & { backend: string; fetched: string }, { tools, progress }) => {
    progress(0.5);
    tools.backends.get(backend)?.fill(thing, fetched);
  },
});
const Weigh = world({ name: 'weigh', execute: ({ thing }: Wanted) => ({ weight: thing.length }) });
const Measure = world({
  name: 'measure',
  execute: async ({ thing, backend }: Wanted & { backend: string }, { tools }) => {
    tools.backends.get(backend)?.make(`${thing}.measure`);
    return { length: thing.length };
  },
  revert: async ({ thing, backend }, _outcome, { tools }) => tools.backends.get(backend)?.unmake(`${thing}.measure`),
});
const Ready = record({
  name: 'ready',
  execute: async ({ thing }: Wanted & { weight: number }, { tx }) => setStatus(tx, thing, 'available'),
});

const fill = flow<Wanted & { backend: string }>('fill').add(Fetch).add(Fill).build({ version: 1 });
export const makeThing = flow<Wanted>('make_thing')
  .add(FailThing)
  .add(Reserve)
  .attempts('attempts', { limit: () => 2, remember: ({ backend }) => backend ?? null }, (span) =>
    span
      .add(Choose)
      .lane(({ backend }) => `host:${backend}`)
      .add(Make)
      .when('has_content', ({ content }) => content !== null, fill),
  )
  .parallel(Weigh, Measure)
  .add(Ready)
  .build({ version: 1 });

const FailDestroy = obligation({
  name: 'fail_destroy',
  revert: async ({ thing }: { thing: string }, _outcome, { tx }) => setStatus(tx, thing, 'error_deleting'),
});
const Destroy = world({
  name: 'destroy',
  forwardOnly: true,
  execute: async ({ thing }: { thing: string }, { tools }) => {
    for (const backend of tools.backends.values()) {
      backend.unmake(thing);
      backend.unmake(`${thing}.measure`);
    }
  },
});
const Gone = record({
  name: 'gone',
  execute: async ({ thing }: { thing: string }, { tx }) => {
    await setStatus(tx, thing, null);
    await count(tx, -1);
  },
});
export const destroyThing = flow<{ thing: string }>('destroy_thing')
  .add(FailDestroy)
  .add(Destroy)
  .add(Gone)
  .build({ version: 1 });

const REQUEST = {
  resource: 'thing:t',
  projectId: 'p',
  requestId: 'r',
  holds: [{ resource: 'thing:t', mode: 'exclusive' }],
};

/** Where a thing is made; `content` is null for an empty one. */
export async function makingWorld(
  database: Database,
  content: string | null,
  backend: () => Backend = () => new Backend(),
): Promise<FlowWorld<Tools>> {
  await table(database);
  const backends = new Map(['a', 'b'].map((name) => [name, backend()]));
  const { begins, status, count, ...rest } = common(database, backends);
  return {
    ...rest,
    start: (engine) =>
      begins(async (tx) => {
        await setStatus(tx, 't', 'creating');
        await engine.begin(tx, makeThing, { thing: 't', content }, REQUEST as never);
      }),
    done: async () => {
      assert.deepEqual([await status('t'), await count()], ['available', 1]);
      const made = [...backends.values()].flatMap(({ things }) => [...things]);
      assert.deepEqual(made, [
        ['t', content ?? ''],
        ['t.measure', ''],
      ]);
    },
    undone: async () => assert.deepEqual([await status('t'), await count()], ['error', 0]),
    leftovers: async () => {
      const kept = (await status('t')) === 'available' ? 2 : 0;
      const things = [...backends.values()].flatMap((each) => [...each.things.keys()]);
      return things.length === kept ? [] : things;
    },
  };
}

/** Where a thing is destroyed. */
export async function destroyingWorld(database: Database): Promise<FlowWorld<Tools>> {
  await table(database);
  const backends = new Map(['a', 'b'].map((name) => [name, new Backend()]));
  backends.get('a')?.make('t');
  const { begins, status, count: counted, ...rest } = common(database, backends);
  await begins(async (tx) => {
    await setStatus(tx, 't', 'available');
    await count(tx, 1);
  });
  const left = (): string[] => [...backends.values()].flatMap((each) => [...each.things.keys()]);
  return {
    ...rest,
    start: (engine) =>
      begins(async (tx) => {
        await setStatus(tx, 't', 'deleting');
        await engine.begin(tx, destroyThing, { thing: 't' }, REQUEST as never);
      }),
    done: async () => assert.deepEqual([await status('t'), await counted(), left()], [undefined, 0, []]),
    undone: async () => assert.deepEqual([await status('t'), await counted()], ['error_deleting', 1]),
    leftovers: () => [],
  };
}

function common(database: Database, backends: ReadonlyMap<string, Backend>) {
  const value = async (name: string): Promise<string | undefined> =>
    (await database.reader.query<{ name: string; value: string }>('SELECT name, value FROM test_row')).find(
      (row) => row.name === name,
    )?.value;
  return {
    tools: { backends },
    lanes: [...backends.keys()].map((name) => `host:${name}`),
    begins: (unit: (tx: Tx) => Promise<void>) => database.write(unit),
    status: value,
    count: async () => Number((await value('usage')) ?? '0'),
    close: () => {},
  };
}

async function table(database: Database): Promise<void> {
  await database.write(({ connection }) =>
    connection.run('CREATE TABLE IF NOT EXISTS test_row (name text PRIMARY KEY, value text NOT NULL)'),
  );
}

async function count({ connection }: Tx, by: number): Promise<void> {
  await connection.run(`INSERT INTO test_row (name, value) VALUES ('usage', '${by}')
    ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(test_row.value AS integer) + ${by} AS text)`);
}

async function setStatus({ connection }: Tx, thing: string, status: string | null): Promise<void> {
  await connection.run(
    status === null
      ? `DELETE FROM test_row WHERE name = '${thing}'`
      : `INSERT INTO test_row (name, value) VALUES ('${thing}', '${status}')
         ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
  );
}
