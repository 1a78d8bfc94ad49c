/**
 * The proof that every flow must pass, on SQLite and on PostgreSQL: whatever fails, dies, is repeated or is cancelled,
 * wherever it happens, the flow ends, either done or undone, and leaves nothing behind.
 *
 *     proveFlow('create-volume from an image', createVolume, { world: imageWorld });
 *
 * Each case runs in an empty database and a fresh world, which begins the flow as its command does and knows what done,
 * undone and left behind mean. The cases come from the flow itself, which is data: faults are planted in its tasks
 * (`engine/planted.ts`) and in the journal under the engine (`engine/faulty-journal.ts`). Each case asserts that its fault
 * really happened. What no case can know is checked after all of them: nothing is stuck, held or reserved.
 *
 * One case asks for a round for each pair of a task that fails and a write after it. It runs on SQLite alone: what a revert finds after
 * either is in the journal, and every journal is proven by itself; on PostgreSQL each write, and each task, is struck once.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Database } from '../src/db/database.ts';
import { DatabaseJournal } from '../src/db/journal.ts';
import { processName } from '../src/db/sql/ownership.ts';
import type { Tx } from '../src/db/sql/tx.ts';
import { Engine } from '../src/engine/engine.ts';
import type { Failure } from '../src/engine/failure.ts';
import type { AnyFlow } from '../src/engine/flow.ts';
import type { FlowRow, Journal } from '../src/engine/journal.ts';
import { now } from '../src/lib/clock.ts';
import { freshPostgresql, freshSqlite } from './databases.ts';
import { emptyDatabase, openOnce } from './emptied-database.ts';
import { type Faults, FaultyJournal, type Moment } from './engine/faulty-journal.ts';
import { Gate } from './engine/gate.ts';
import { type Around, inSpans, type Plan, Planted, planted, tasksOf } from './engine/planted.ts';

/** Where a flow runs, and what is right there. */
export interface FlowWorld<Tools> {
  readonly tools: Tools;
  /** Lanes of this process besides `control`: `host:node@alpha`. */
  readonly lanes?: readonly string[];
  /** Begins the flow, as its command does. */
  start(engine: Engine<Tools, Tx>): Promise<unknown>;
  /** Asserts what is so when the flow has succeeded. */
  done(): Promise<void> | void;
  /** Asserts what is so when it was reverted. */
  undone(end: { readonly failures: readonly Failure[] }): Promise<void> | void;
  /** Whatever is wrong however it ended. */
  leftovers(): Promise<readonly string[]> | readonly string[];
  close(): Promise<void> | void;
}

export interface Proof<Tools> {
  world(database: Database): Promise<FlowWorld<Tools>>;
  /** Another journal than the database's, for who wants to see the proof fail. */
  journal?(database: Database): Journal<Tx>;
}

/** Tasks of each flow that some proof has run, and has reverted. */
export interface Proven {
  readonly ran: Set<string>;
  readonly reverted: Set<string>;
}

const proofs = new Map<string, Proven>();

/** The flows that were proven in this process, as `name@version`; what was run is known when their tests have ended. */
export const provenFlows = (): ReadonlyMap<string, Proven> => proofs;

const DEADLINE_MS = 60_000;
const MOMENTS: readonly Moment[] = ['before', 'after'];

export function proveFlow<Tools>(name: string, flow: AnyFlow, proof: Proof<Tools>): void {
  for (const [dialect, fresh] of [
    ['SQLite', freshSqlite],
    ['PostgreSQL', freshPostgresql],
  ] as const) {
    describe(`${name} on ${dialect}`, () => {
      const opened = openOnce(fresh);
      for (const { sentence, pairs, run } of flowCases(flow, proof)) {
        if (pairs && dialect === 'PostgreSQL') continue;
        it(sentence, async (context) => {
          const place = await opened();
          if ('missing' in place) return context.skip(`PostgreSQL: ${place.missing}`);
          await run(place.database);
        });
      }
    });
  }
}

export interface FlowCase {
  readonly sentence: string;
  /** It has as many rounds as there are pairs of a task and a write. */
  readonly pairs: boolean;
  run(database: Database): Promise<void>;
}

/** The proof of a flow as functions, for who wants to see it fail. */
export function flowCases<Tools>(flow: AnyFlow, proof: Proof<Tools>): readonly FlowCase[] {
  const key = `${flow.name}@${flow.version}`;
  const proven = proofs.get(key) ?? { ran: new Set(), reverted: new Set() };
  proofs.set(key, proven);
  return CASES.map(({ sentence, pairs = false, run }) => ({
    sentence,
    pairs,
    run: (database) => run(new Rounds(flow, proof, database, proven)),
  }));
}

interface Case extends Partial<Pick<FlowCase, 'pairs'>> {
  readonly sentence: string;
  run(rounds: Rounds): Promise<void>;
}

const CASES: readonly Case[] = [
  {
    sentence: 'succeeds, in as many writes each time',
    run: async (rounds) => {
      const { writes, ran } = await rounds.baseline();
      const again = await rounds.round('undisturbed');
      assert.deepEqual([again.state, again.writes], ['success', writes]);
      assert.deepEqual(again.ran, ran);
    },
  },
  {
    sentence:
      'succeeds when nothing of it is done in the transaction that begins it, also after a crash at its first write',
    run: async (rounds) => {
      for (const faults of [{}, ...MOMENTS.map((moment) => ({ crash: { write: 0, moment } }))])
        assert.equal((await rounds.round('behind', { faults: { ...faults, behind: true } })).state, 'success');
    },
  },
  {
    sentence: 'succeeds when every task runs twice, and every transaction is made twice',
    run: async (rounds) => {
      const end = await rounds.round('twice', { plan: { execute: twice }, faults: { rehearse: true } });
      assert.equal(end.state, 'success');
    },
  },
  ...MOMENTS.map(
    (moment): Case => ({
      sentence: `comes to rest when any task fails ${moment} its work`,
      run: (rounds) => rounds.eachFailure(moment, () => ({})),
    }),
  ),
  ...MOMENTS.map(
    (moment): Case => ({
      sentence: `comes to rest when any task fails ${moment} its work and every revert runs twice`,
      run: (rounds) => rounds.eachFailure(moment, () => ({ plan: { revert: twice }, faults: { rehearse: true } })),
    }),
  ),
  ...MOMENTS.map(
    (moment): Case => ({
      sentence: `comes to rest when its last task fails and every revert fails the first time, ${moment} its work`,
      run: (rounds) => rounds.eachFailure('after', () => ({ plan: { revert: failsOnce(moment) } }), { last: true }),
    }),
  ),
  ...MOMENTS.map(
    (moment): Case => ({
      sentence: `comes to rest when any task of a span fails ${moment} its work as what may succeed elsewhere`,
      run: (rounds) => rounds.eachElsewhere(moment),
    }),
  ),
  ...MOMENTS.map(
    (moment): Case => ({
      sentence: `goes on after a crash ${moment} any write of its journal`,
      run: async (rounds) => {
        const { writes } = await rounds.baseline();
        for (let write = 0; write < writes; write += 1) {
          const end = await rounds.round(`crash ${moment} write ${write}`, { faults: { crash: { write, moment } } });
          assert.equal(end.state, 'success');
        }
      },
    }),
  ),
  {
    sentence: 'goes on reverting after a crash before any write of its journal, whichever task failed',
    pairs: true,
    run: (rounds) => rounds.eachCrashReverting('before'),
  },
  ...MOMENTS.map(
    (moment): Case => ({
      sentence: `goes on reverting after a crash ${moment} any write of its journal, its last task having failed`,
      run: (rounds) => rounds.eachCrashReverting(moment, { last: true }),
    }),
  ),
  {
    sentence: 'comes to rest when it is cancelled at any boundary',
    run: (rounds) => rounds.eachCancel(),
  },
  {
    sentence: 'comes to rest when it is cancelled while any task runs',
    run: (rounds) => rounds.eachCancelInside(),
  },
  ...MOMENTS.map(
    (moment): Case => ({
      sentence: `comes to rest when it is cancelled while its process is dead, ${moment} any write of its journal`,
      run: async (rounds) => {
        const { writes } = await rounds.baseline();
        for (let write = 0; write < writes; write += 1)
          await rounds.round(`dead ${moment} write ${write}`, {
            faults: { crash: { write, moment } },
            whileDead: (engine, id) => engine.wish(id, 'cancel', 'Planted.'),
          });
      },
    }),
  ),
  {
    sentence: 'waits for those that share what it wants for itself, and succeeds when they are gone',
    run: async (rounds) => {
      const end = await rounds.round('shared', { shared: async () => true });
      assert.equal(end.state, 'success');
    },
  },
  {
    sentence: 'is undone when it is cancelled while it waits for those that share what it wants for itself',
    run: async (rounds) => {
      const end = await rounds.round('shared', { shared: (engine, id) => engine.wish(id, 'cancel', 'Planted.') });
      assert.deepEqual([end.state, end.ran], ['reverted', []]);
    },
  },
  {
    sentence: 'is not harmed by an owner that is frozen at any write of its journal and thaws when all is over',
    run: async (rounds) => {
      const { writes } = await rounds.baseline();
      for (let frozenAt = 0; frozenAt < writes; frozenAt += 1) {
        const end = await rounds.round(`frozen at write ${frozenAt}`, { frozenAt });
        assert.equal(end.state, 'success');
      }
    },
  },
  {
    sentence: 'is not harmed by trouble with any write of its journal, nor by a lost answer',
    run: async (rounds) => {
      const { writes } = await rounds.baseline();
      for (const moment of MOMENTS) {
        for (const behind of [false, true]) {
          const trouble = new Map(Array.from({ length: writes + 1 }, (_, write) => [write * 2, moment] as const));
          const end = await rounds.round(`trouble ${moment}`, { faults: { trouble, behind } });
          assert.equal(end.state, 'success');
        }
      }
    },
  },
];

interface Disturbance {
  readonly plan?: Plan;
  readonly faults?: Faults;
  /** Before anything of the flow has run. */
  readonly waiting?: (engine: Engine<unknown, Tx>, id: string) => Promise<unknown>;
  /** Between a crash and the next life. */
  readonly whileDead?: (engine: Engine<unknown, Tx>, id: string) => Promise<unknown>;
  /** The process stands still at this write; the next one finishes the flow; then it goes on. */
  readonly frozenAt?: number;
  readonly onBegun?: (engine: Engine<unknown, Tx>) => void;
  /** Another flow shares all that it wants, and ends after this. */
  readonly shared?: (engine: Engine<unknown, Tx>, id: string) => Promise<unknown>;
}

interface End {
  readonly state: FlowRow['state'];
  /** Tried by the first life. */
  readonly writes: number;
  /** The write of the first life that turned the flow back. */
  readonly turned: number;
  readonly ran: readonly string[];
  readonly failed: readonly string[];
}

/** The rounds of one case, each in an emptied database and a fresh world. */
class Rounds {
  readonly #flow: AnyFlow;
  readonly #proof: Proof<unknown>;
  readonly #database: Database;
  readonly #proven: Proven;
  #baseline: End | undefined;
  #behind = false;
  #processes = 0;

  constructor(flow: AnyFlow, proof: Proof<never> | Proof<unknown>, database: Database, proven: Proven) {
    this.#flow = flow;
    this.#proof = proof as Proof<unknown>;
    this.#database = database;
    this.#proven = proven;
  }

  /** The flow undisturbed. */
  async baseline(): Promise<End> {
    if (this.#baseline === undefined) {
      let end = await this.round('undisturbed');
      // One that ends with the request is disturbed where it could not.
      this.#behind = end.writes === 0;
      if (this.#behind) end = await this.round('undisturbed, behind');
      assert.equal(end.state, 'success', 'undisturbed, it succeeds');
      this.#baseline = end;
    }
    return this.#baseline;
  }

  /** Fails each task in turn that runs here. One that only goes forward fails once, any other for good. */
  async eachFailure(moment: Moment, more: () => Disturbance, { last = false } = {}): Promise<void> {
    for (const path of (await this.baseline()).ran.slice(last ? -1 : 0)) {
      const fault = failsAt(path, moment, { once: this.#goesForward(path) });
      const { plan, ...rest } = more();
      const end = await this.round(`${path} fails ${moment} its work`, {
        ...rest,
        plan: { ...plan, execute: fault.around },
      });
      this.#assertFault(end, path, fault.hits());
    }
  }

  async eachElsewhere(moment: Moment): Promise<void> {
    const spanned = inSpans(this.#flow);
    for (const path of (await this.baseline()).ran.filter((each) => spanned.has(each))) {
      for (const once of [true, false]) {
        const fault = failsAt(path, moment, { once, elsewhere: true });
        await this.round(`${path} fails ${moment} its work, ${once ? 'once' : 'always'}`, {
          plan: { execute: fault.around },
        });
        assert.ok(fault.hits() > 0, `${path} failed`);
      }
    }
  }

  async eachCrashReverting(moment: Moment, { last = false } = {}): Promise<void> {
    const failing = (await this.baseline()).ran.filter((each) => !this.#goesForward(each));
    for (const path of failing.slice(last ? -1 : 0)) {
      const disturbed = (faults: Faults): Disturbance => ({
        plan: { execute: failsAt(path, 'after', {}).around },
        faults,
      });
      const whole = await this.round(`${path} fails`, disturbed({}));
      for (let write = whole.turned; write < whole.writes; write += 1) {
        const end = await this.round(
          `${path} fails, crash ${moment} write ${write}`,
          disturbed({ crash: { write, moment } }),
        );
        assert.equal(end.state, whole.state);
      }
    }
  }

  async eachCancel(): Promise<void> {
    const cancel = (engine: Engine<unknown, Tx>, id: string): Promise<boolean> => engine.wish(id, 'cancel', 'Planted.');
    const waiting = await this.round('cancelled before it ran', { waiting: cancel });
    assert.deepEqual([waiting.state, waiting.ran], ['reverted', []]);
    const { writes } = await this.baseline();
    for (let write = 0; write < writes; write += 1) {
      let told: boolean | undefined;
      let engine: Engine<unknown, Tx> | undefined;
      await this.round(`cancelled at write ${write}`, {
        onBegun: (begun) => {
          engine = begun;
        },
        faults: {
          onWrite: async (n) => {
            const id = await this.#flowId();
            if (n === write && engine && id) told = await cancel(engine, id);
          },
        },
      });
      assert.equal(told, true, 'it was cancelled');
    }
  }

  async eachCancelInside(): Promise<void> {
    const world = new Set(tasksOf(this.#flow).flatMap(({ path, record }) => (record ? [] : [path])));
    for (const path of (await this.baseline()).ran.filter((each) => world.has(each))) {
      let engine: Engine<unknown, Tx> | undefined;
      let told: boolean | undefined;
      const inside: Around = async ({ node, context, work }) => {
        if (node.path !== path || told !== undefined) return work();
        told = await engine?.wish(context.flowId, 'cancel', 'Planted.');
        if (!node.body.forwardOnly) assert.equal(context.signal?.aborted, true, 'its signal tells');
        return work();
      };
      await this.round(`cancelled inside ${path}`, {
        plan: { execute: inside },
        onBegun: (begun) => {
          engine = begun;
        },
      });
      assert.equal(told, true, 'it was cancelled');
    }
  }

  /** One flow, from its beginning to its end, over as many lives as it takes. */
  async round(what: string, disturbance: Disturbance = {}): Promise<End> {
    await emptyDatabase(this.#database);
    const world = await this.#proof.world(this.#database);
    const notes: Notes = { ran: [], reverted: [] };
    try {
      return await this.#live(world, disturbance, notes);
    } catch (error) {
      const story = (await this.#steps()).map(({ node, event }) => `  ${node} ${event}`).join('\n');
      throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}\n${story}`, { cause: error });
    } finally {
      for (const path of notes.ran) this.#proven.ran.add(path);
      for (const path of notes.reverted) this.#proven.reverted.add(path);
      await world.close();
    }
  }

  async #live(world: FlowWorld<unknown>, disturbance: Disturbance, notes: Notes): Promise<End> {
    const flow = planted(this.#flow, noting(notes, disturbance.plan ?? {}));
    const { waiting } = disturbance;
    if (disturbance.frozenAt !== undefined) return this.#freeze(world, flow, disturbance.frozenAt, notes);
    let life = await this.#begin(world, flow, waiting ? {} : disturbance.faults, waiting ? 0 : 256, {
      shared: disturbance.shared !== undefined,
    });
    const first = life;
    try {
      disturbance.onBegun?.(life.engine);
      await world.start(life.engine);
      const id = await this.#flowId();
      assert.ok(id !== undefined, `the world began a ${this.#flow.name}`);
      await waiting?.(life.engine, id);
      if (disturbance.shared) await this.#unshare(id, notes, () => disturbance.shared?.(life.engine, id));
      const crash = disturbance.faults?.crash;
      if (waiting || (await this.#dies(life, id)) || crash !== undefined) {
        // A commit may be seen before its process dies of it: when nothing of it runs any more, it has died.
        await this.#end(life);
        life = await this.#begin(world, flow, {}, disturbance.whileDead ? 0 : 256);
        if (disturbance.whileDead) {
          await disturbance.whileDead(life.engine, id);
          await this.#end(life);
          life = await this.#begin(world, flow, {}, 256);
        }
      }
      if (crash !== undefined) assert.ok(first.journal.dead, `it crashed at write ${crash.write}`);
      const row = await life.engine.settled(id, AbortSignal.timeout(DEADLINE_MS));
      await this.#rests(world, row);
      const failed = (await this.#steps()).flatMap(({ node, event }) => (event === 'failed' ? [node] : []));
      return { state: row.state, writes: first.journal.writes, turned: first.journal.turned, ran: notes.ran, failed };
    } finally {
      await this.#end(life);
    }
  }

  /** The flow waits, and has run nothing; then `meanwhile`; then the flow that shares what it wants is gone. */
  async #unshare(id: string, notes: Notes, meanwhile: () => unknown): Promise<void> {
    const row = await new DatabaseJournal(this.#database).find(id);
    assert.deepEqual([row?.lane, row?.owner, await this.#steps()], ['holds', null, []], 'it waits');
    // What was tried in the transaction that began it has been undone with it.
    notes.ran.length = 0;
    await meanwhile();
    await this.#database.write(({ db }) => db.deleteFrom('hold').where('flow_id', '=', SHARER).execute());
  }

  async #freeze(world: FlowWorld<unknown>, flow: AnyFlow, write: number, notes: Notes): Promise<End> {
    const ice = new Gate();
    const frozen = await this.#begin(world, flow, { onWrite: (n) => (n === write ? ice.passDeaf() : undefined) }, 256);
    let next: Life | undefined;
    try {
      await world.start(frozen.engine);
      await ice.arrived;
      await this.#database.ownership.release(processName(frozen.engine.process));
      next = await this.#begin(world, flow, {}, 256);
      const id = (await this.#flowId()) ?? '';
      const row = await next.engine.settled(id, AbortSignal.timeout(DEADLINE_MS));
      ice.open();
      await this.#end(frozen);
      await this.#rests(world, row);
      return { state: row.state, writes: 0, turned: 0, ran: notes.ran, failed: [] };
    } finally {
      ice.open();
      await this.#end(frozen);
      if (next !== undefined) await this.#end(next);
    }
  }

  async #begin(
    world: FlowWorld<unknown>,
    flow: AnyFlow,
    faults: Faults | undefined,
    concurrency: number,
    { shared = false } = {},
  ): Promise<Life> {
    const below = this.#proof.journal?.(this.#database) ?? new DatabaseJournal(this.#database);
    const journal = new FaultyJournal(below, { behind: this.#behind, ...faults });
    if (shared) journal.insert = afterSharer(journal.insert);
    this.#processes += 1;
    const engine = new Engine<unknown, Tx>({
      process: `proof-${this.#processes}`,
      journal,
      tools: world.tools,
      flows: [flow],
      concurrency,
      pollMs: 5,
      revertRetry: { tries: 3, when: () => true, backoffMs: 0 },
      troubleBackoffMs: 0,
    });
    await this.#database.ownership.take(processName(engine.process));
    await engine.start(world.lanes);
    return { engine, journal };
  }

  /** Resolves with true when the process dies, with false when the flow has come to rest before. */
  async #dies(life: Life, id: string): Promise<boolean> {
    const rest = life.engine.settled(id, AbortSignal.timeout(DEADLINE_MS)).then(
      () => false,
      (error: unknown) => {
        if (life.journal.dead) return true;
        throw error;
      },
    );
    return (await Promise.race([rest, life.journal.death.then(() => true)])) || life.journal.dead;
  }

  async #end({ engine }: Life): Promise<void> {
    await engine.stop();
    await this.#database.ownership.release(processName(engine.process));
  }

  /** What is so however a flow ended, then what the world knows. */
  async #rests(world: FlowWorld<unknown>, row: FlowRow): Promise<void> {
    assert.ok(row.state === 'success' || row.state === 'reverted', `it is ${row.state}`);
    const read = this.#database.read;
    const held = await read.selectFrom('hold').select('resource').execute();
    const reserved = await read.selectFrom('reservation').select('resource').execute();
    const unended = await read.selectFrom('flow').select(['name', 'state']).where('ended_at', 'is', null).execute();
    assert.deepEqual({ held, reserved, unended }, { held: [], reserved: [], unended: [] });
    if (row.state === 'success') await world.done();
    else await world.undone({ failures: await this.#failures() });
    assert.deepEqual(await world.leftovers(), [], 'left behind');
  }

  async #failures(): Promise<readonly Failure[]> {
    return (await this.#steps()).flatMap(({ event, data }) =>
      event === 'failed' || event === 'cancelled' ? [(data as unknown as { failure: Failure }).failure] : [],
    );
  }

  async #steps() {
    const id = await this.#flowId();
    return id === undefined ? [] : new DatabaseJournal(this.#database).steps(id);
  }

  async #flowId(): Promise<string | undefined> {
    const rows = await this.#database.read
      .selectFrom('flow')
      .select('id')
      .where('name', '=', this.#flow.name)
      .execute();
    assert.ok(rows.length <= 1, `one ${this.#flow.name} in a round`);
    return rows[0]?.id;
  }

  #goesForward(path: string): boolean {
    return tasksOf(this.#flow).some((node) => node.path === path && node.body.forwardOnly);
  }

  #assertFault(end: End, path: string, hits: number): void {
    assert.ok(hits > 0, `${path} failed`);
    if (this.#goesForward(path)) assert.equal(end.state, 'success');
    else assert.ok(end.failed.includes(path), `${path} is journaled as failed`);
  }
}

const SHARER = 'sharer';

/** Another flow shares whatever is wanted, before it is wanted. It has ended as far as any count goes. */
function afterSharer(insert: Journal<Tx>['insert']): Journal<Tx>['insert'] {
  return async (tx, flow, ahead, told, refusal) => {
    const { lane, projectId, requestId } = flow;
    await tx.db
      .insertInto('flow')
      .values({
        id: SHARER,
        name: SHARER,
        version: 1,
        lane,
        state: 'success',
        input: '{}',
        owner: null,
        epoch: 1,
        seq: 0,
        claims: 0,
        resource: 'none',
        project_id: projectId,
        request_id: requestId,
        created_at: now(),
        updated_at: now(),
        ended_at: now(),
      })
      .onConflict((clash) => clash.doNothing())
      .execute();
    const shared = flow.holds.map(({ resource }) => ({ resource, flow_id: SHARER, mode: 'shared' as const }));
    if (shared.length > 0) await tx.db.insertInto('hold').values(shared).execute();
    await insert(tx, flow, ahead, told, refusal);
  };
}

interface Life {
  readonly engine: Engine<unknown, Tx>;
  readonly journal: FaultyJournal<Tx>;
}

interface Notes {
  readonly ran: string[];
  readonly reverted: string[];
}

/** The plan, with a note of what ran: each task once, in order. */
function noting(notes: Notes, plan: Plan): Plan {
  const note =
    (list: string[], then: Around = ({ work }) => work()): Around =>
    (call) => {
      if (!list.includes(call.node.path)) list.push(call.node.path);
      return then(call);
    };
  return { execute: note(notes.ran, plan.execute), revert: note(notes.reverted, plan.revert) };
}

/** World tasks only: a record runs once in its transaction, and transactions are repeated by `rehearse`. */
const twice: Around = async ({ node, work }) => {
  if (!node.record) await work();
  return work();
};

function failsOnce(moment: Moment): Around {
  const failed = new Set<string>();
  return async ({ node, work }) => {
    const first = !failed.has(node.path);
    failed.add(node.path);
    if (first && moment === 'before') throw new Planted(`revert of ${node.path}`);
    await work();
    if (first) throw new Planted(`revert of ${node.path}`);
    return null;
  };
}

function failsAt(path: string, moment: Moment, { once = false, elsewhere = false }) {
  let hits = 0;
  const around: Around = async ({ node, work }) => {
    if (node.path !== path || (once && hits > 0)) return work();
    hits += 1;
    if (moment === 'after') await work();
    throw new Planted(path, { elsewhere });
  };
  return { around, hits: () => hits };
}
