/**
 * Runs each test of the engine on three journals: in memory, on SQLite and on PostgreSQL, each fresh, with a table of the
 * application's own (`RowTx`) for records to write.
 *
 *     proveEngine('holds', (test) => {
 *       test('are released with the flow', async (world) => { … });
 *     });
 *
 * A process is a `Life`: an engine on a journal of its own that can die. `world.live()` starts one, `life.die()` ends it as
 * a SIGKILL would: nothing is written after it, and the others know that it is dead.
 */
import { describe, it } from 'node:test';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { DatabaseJournal } from '../../src/db/journal.ts';
import { leavingName, processName } from '../../src/db/sql/ownership.ts';
import type { Tx } from '../../src/db/sql/tx.ts';
import { Engine, type EngineOptions, type StartOptions } from '../../src/engine/engine.ts';
import type { EngineEvent } from '../../src/engine/events.ts';
import type { Failure } from '../../src/engine/failure.ts';
import type { AnyFlow, Flow } from '../../src/engine/flow.ts';
import type { FlowRow, Journal } from '../../src/engine/journal.ts';
import type { StepOf } from '../../src/engine/step.ts';
import type { Journaled } from '../../src/engine/task.ts';
import { freshPostgresql, freshSqlite } from '../databases.ts';
import { emptyDatabase, openOnce } from '../emptied-database.ts';
import type { NoServer } from '../postgresql-server.ts';
import { type Faults, FaultyJournal } from './faulty-journal.ts';
import { MemoryJournal, type RowTx } from './memory-journal.ts';
import { type Tools, tools } from './tasks.ts';

export type Kind = 'memory' | 'SQLite' | 'PostgreSQL';

/** A journal with its application's table, shared by all lives of a test. */
export interface Ground {
  readonly journal: Journal<RowTx>;
  transaction<T>(unit: (tx: RowTx) => Promise<T>): Promise<T>;
  rows(): Promise<Readonly<Record<string, string>>>;
  /** `resource mode`, of all flows, with `, waited for` behind those that are not given yet. */
  holds(): Promise<readonly string[]>;
  commits(): number;
  /** The same database as another process has it, where the kind allows that; closed with this one. */
  other(): Promise<Ground>;
  /** The process lives, or does not. */
  living(process: string, lives: boolean): Promise<void>;
  /** It has left the lane to others, or has come back. */
  leaving(process: string, lane: string, leaves: boolean): Promise<void>;
  close(): Promise<void>;
}

export interface LifeOptions extends Partial<Omit<EngineOptions<Tools, RowTx>, 'journal' | 'tools' | 'flows'>> {
  readonly lanes?: readonly string[];
  readonly faults?: Faults;
  /** Of its own connections to the database. */
  readonly ground?: Ground;
}

export interface Life {
  readonly engine: Engine<Tools, RowTx>;
  readonly journal: FaultyJournal<RowTx>;
  readonly ground: Ground;
  readonly events: readonly EngineEvent[];
  /** As by SIGKILL. Resolves when nothing of it runs any more. */
  die(): Promise<void>;
}

export interface World {
  readonly kind: Kind;
  readonly ground: Ground;
  readonly tools: Tools;
  /** The life that began last dies, as by SIGKILL; for tasks that run while it begins. */
  kill(): void;
  /** The life that began last. */
  last(): Life | undefined;
  live(flows: readonly AnyFlow[], options?: LifeOptions): Promise<Life>;
  begin<I extends object, S extends object>(
    life: Life,
    flow: Flow<I, S>,
    input: I & Journaled<I>,
    options?: Partial<StartOptions>,
  ): Promise<string>;
  /** The flow when it has ended or is stuck. */
  settled(life: Life, id: string): Promise<FlowRow>;
  /** `node event` of each step. */
  story(id: string): Promise<readonly string[]>;
  /** That of the first step of this event. */
  failure(id: string, event: FailedEvent): Promise<Failure>;
}

type FailedEvent = 'failed' | 'cancelled' | 'revert_failed';

export type EngineTest = (sentence: string, body: (world: World) => Promise<void>) => void;

const KINDS: readonly Kind[] = ['memory', 'SQLite', 'PostgreSQL'];
const DEADLINE_MS = 30_000;

export function proveEngine(name: string, suite: (test: EngineTest) => void): void {
  for (const kind of KINDS) {
    describe(`${name}, ${kind === 'memory' ? 'in memory' : `on ${kind}`}`, () => {
      const ground = grounds(kind);
      suite((sentence, body) => {
        it(sentence, async (context) => {
          const found = await ground();
          if ('missing' in found) return context.skip(`PostgreSQL: ${found.missing}`);
          const lives: Life[] = [];
          try {
            await body(worldOn(kind, found, lives));
          } finally {
            await Promise.all(lives.map((life) => life.engine.stop()));
            await found.close();
          }
        });
      });
    });
  }
}

/** Resolves when the condition holds; rejects after a deadline. */
export async function until(condition: () => Promise<boolean> | boolean, what = 'the condition'): Promise<void> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > DEADLINE_MS) throw new Error(`${what} did not come about.`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export const REQUEST = { resource: 'thing:1', projectId: 'p', requestId: 'req-1' };

let processes = 0;

/** A world of its own tools on a ground that others may share. */
export function worldOn(kind: Kind, ground: Ground, lives: Life[]): World {
  const shared = tools();
  return {
    kind,
    ground,
    tools: shared,
    kill: () => lives.at(-1)?.journal.die(),
    last: () => lives.at(-1),
    live: async (flows, { lanes = [], faults = {}, ground: its = ground, ...options } = {}) => {
      const events: EngineEvent[] = [];
      const journal = new FaultyJournal(its.journal, faults);
      processes += 1;
      const engine = new Engine<Tools, RowTx>({
        process: `process-${processes}`,
        pollMs: 10,
        revertRetry: { tries: 3, when: () => true, backoffMs: 1 },
        troubleBackoffMs: 1,
        ...options,
        journal,
        tools: shared,
        flows,
        listen: (event) => {
          events.push(event);
          options.listen?.(event);
        },
      });
      const die = async (): Promise<void> => {
        journal.die();
        await engine.stop();
        await its.living(engine.process, false);
      };
      const life = { engine, journal, ground: its, events, die };
      await its.living(engine.process, true);
      lives.push(life);
      await engine.start(lanes);
      return life;
    },
    begin: (life, flow, input, options = {}) =>
      life.ground.transaction((tx) => life.engine.begin(tx, flow, input as never, { ...REQUEST, ...options })),
    settled: (life, id) => life.engine.settled(id, AbortSignal.timeout(DEADLINE_MS)),
    failure: async (id, event) => {
      const step = (await ground.journal.steps(id)).find((each): each is StepOf<FailedEvent> => each.event === event);
      if (step === undefined) throw new Error(`No step is ${event}.`);
      return step.data.failure;
    },
    story: async (id) => (await ground.journal.steps(id)).map(({ node, event }) => `${node} ${event}`),
  };
}

/** Each call gives an empty one. */
function grounds(kind: Kind): () => Promise<Ground | NoServer> {
  if (kind === 'memory') return async () => memoryGround();
  const opened = openOnce(kind === 'SQLite' ? freshSqlite : freshPostgresql);
  return async () => {
    const place = await opened();
    if ('missing' in place) return place;
    await emptyDatabase(place.database);
    return databaseGround(place.url, place.database);
  };
}

export function memoryGround(): Ground {
  const journal = new MemoryJournal();
  const ground: Ground = {
    other: async () => ground,
    journal,
    transaction: (unit) => journal.transaction(unit),
    rows: async () => Object.fromEntries([...journal.rows].sort()),
    holds: async () =>
      journal.holds.map(({ resource, mode, waiting }) => `${resource} ${mode}${waiting ? ', waited for' : ''}`).sort(),
    commits: () => journal.commits,
    living: async (process, lives) => void (lives ? journal.dead.delete(process) : journal.dead.add(process)),
    leaving: async (process, lane, leaves) =>
      void (leaves ? journal.left.add(`${process} ${lane}`) : journal.left.delete(`${process} ${lane}`)),
    close: async () => {},
  };
  return ground;
}

async function databaseGround(url: string, database: Database): Promise<Ground> {
  const others: Database[] = [];
  await database.write(({ connection }) =>
    connection.run('CREATE TABLE IF NOT EXISTS test_row (name text PRIMARY KEY, value text NOT NULL)'),
  );
  const inner = new DatabaseJournal(database);
  const opened = new WeakMap<RowTx, Tx>();
  const rowTx = (tx: Tx): RowTx => {
    const made = rowsOf(tx);
    opened.set(made, tx);
    return made;
  };
  const journal: Journal<RowTx> = {
    insert: (tx, flow, ahead, told, refusal) => inner.insert(opened.get(tx) as Tx, flow, ahead, told, refusal),
    grant: () => inner.grant(),
    append: (claimed, write) => inner.append(claimed, write),
    transact: (claimed, make, resource) => inner.transact(claimed, (tx) => make(rowTx(tx)), resource),
    claim: (request) => inner.claim(request),
    handBack: (process) => inner.handBack(process),
    steps: (id) => inner.steps(id),
    find: (id) => inner.find(id),
    list: (query) => inner.list(query),
    wish: (id, wish, reason) => inner.wish(id, wish, reason),
    wished: (process) => inner.wished(process),
    doing: (id, doing) => inner.doing(id, doing),
    prune: (before, limit) => inner.prune(before, limit),
    isTrouble: (error) => inner.isTrouble(error),
  };
  const ground: Ground = {
    other: async () => {
      if (database.dialect === 'sqlite') return ground;
      const other = await openDatabase(url, { as: 'tool' });
      others.push(other);
      return databaseGround(url, other);
    },
    journal,
    transaction: (unit) => database.write((tx) => unit(rowTx(tx))),
    rows: async () => {
      const rows = await database.reader.query<{ name: string; value: string }>(
        'SELECT name, value FROM test_row ORDER BY name',
      );
      return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
    },
    holds: async () => {
      const rows = await database.read.selectFrom('hold').select(['resource', 'mode', 'waiting']).execute();
      return rows.map(({ resource, mode, waiting }) => `${resource} ${mode}${waiting ? ', waited for' : ''}`).sort();
    },
    commits: () => database.stats.commits,
    living: async (process, lives) => {
      if (lives) await database.ownership.take(processName(process));
      else await database.ownership.release(processName(process));
    },
    leaving: async (process, lane, leaves) => {
      if (leaves) await database.ownership.take(leavingName(process, lane));
      else await database.ownership.release(leavingName(process, lane));
    },
    close: async () => {
      for (const other of others) await other.close();
    },
  };
  return ground;
}

function rowsOf(tx: Tx): RowTx {
  const { connection } = tx;
  const mark = (n: number): string => (connection.dialect === 'sqlite' ? '?' : `$${n}`);
  return {
    repeated: tx.repeated,
    atEnd: (work) => tx.atEnd(work),
    onCommit: (then) => tx.onCommit(then),
    get: async (name) => {
      const [row] = await connection.query<{ value: string }>(`SELECT value FROM test_row WHERE name = ${mark(1)}`, [
        name,
      ]);
      return row?.value;
    },
    put: async (name, value) => {
      await connection.execute(
        `INSERT INTO test_row (name, value) VALUES (${mark(1)}, ${mark(2)})
         ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
        [name, value],
      );
    },
    count: async (name) => {
      await connection.execute(
        `INSERT INTO test_row (name, value) VALUES (${mark(1)}, '1')
         ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(test_row.value AS integer) + 1 AS text)`,
        [name],
      );
    },
    drop: async (name) => {
      await connection.execute(`DELETE FROM test_row WHERE name = ${mark(1)}`, [name]);
    },
  };
}
