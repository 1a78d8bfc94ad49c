/**
 * A journal in memory, for the engine's own tests: the same port as the databases', with transactions that roll back and
 * a table of the application's own (`rows`) for record tasks to write. It outlives the engines built on it, as a
 * database would.
 */

import { FIRST_LANE } from '../../src/engine/cursor.ts';
import { Fenced } from '../../src/engine/failure.ts';
import {
  type Begun,
  type Claimed,
  type ClaimRequest,
  type Doing,
  type EngineTx,
  type FlowQuery,
  type FlowRow,
  Held,
  type Hold,
  hearsWish,
  type Journal,
  type NewFlow,
  NotAhead,
  WAITING_LANE,
  type Wish,
  type Write,
} from '../../src/engine/journal.ts';
import { isProgress, type Step } from '../../src/engine/step.ts';
import { now, type Timestamp } from '../../src/lib/clock.ts';

/** A transaction of an application that has one table: names and values. */
export interface RowTx extends EngineTx {
  get(name: string): Promise<string | undefined>;
  put(name: string, value: string): Promise<void>;
  /** One more than before, from 0. */
  count(name: string): Promise<void>;
  drop(name: string): Promise<void>;
}

interface KeptHold extends Hold {
  readonly waiting: boolean;
}

interface State {
  flows: Map<string, FlowRow>;
  steps: Map<string, Step[]>;
  holds: Map<string, readonly KeptHold[]>;
  rows: Map<string, string>;
}

export class MemoryJournal implements Journal<RowTx> {
  #state: State = { flows: new Map(), steps: new Map(), holds: new Map(), rows: new Map() };
  #queue: Promise<unknown> = Promise.resolve();
  /** Processes that are known to be dead. */
  readonly dead = new Set<string>();
  /** `PROCESS LANE`: what that process has there is left to others. */
  readonly left = new Set<string>();
  commits = 0;

  /** What record tasks have written and committed. */
  get rows(): ReadonlyMap<string, string> {
    return this.#state.rows;
  }

  get holds(): readonly KeptHold[] {
    return [...this.#state.holds.values()].flat();
  }

  /** One transaction after another; a throw undoes all of its writes. */
  transaction<T>(unit: (tx: RowTx) => Promise<T> | T): Promise<T> {
    const run = async (repeated = false): Promise<T> => {
      const before = structuredClone(this.#state);
      const last: (() => Promise<void>)[] = [];
      const after: (() => void)[] = [];
      try {
        const result = await unit(this.#tx(last, after, repeated));
        for (const work of last) await work();
        this.commits += 1;
        queueMicrotask(() => {
          for (const then of after) then();
        });
        return result;
      } catch (error) {
        this.#state = before;
        if (error instanceof NotAhead && !repeated) return run(true);
        throw error;
      }
    };
    const result = this.#queue.then(
      () => run(),
      () => run(),
    );
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #tx(last: (() => Promise<void>)[], after: (() => void)[], repeated: boolean): RowTx {
    return {
      repeated,
      atEnd: (work) => last.push(work),
      get: async (name) => this.#state.rows.get(name),
      put: async (name, value) => void this.#state.rows.set(name, value),
      count: async (name) => void this.#state.rows.set(name, String(Number(this.#state.rows.get(name) ?? '0') + 1)),
      drop: async (name) => void this.#state.rows.delete(name),
      onCommit: (then) => after.push(then),
    };
  }

  async insert(
    _tx: RowTx,
    flow: NewFlow,
    ahead: Write | undefined,
    told: (begun: Begun) => void,
    refusal: (held: Held) => Error,
  ): Promise<void> {
    const { flows, steps, holds } = this.#state;
    if (flows.has(flow.id)) {
      if (ahead !== undefined) throw new NotAhead();
      return told('there');
    }
    let waiting = false;
    for (const { resource, mode } of flow.holds) {
      for (const [flowId, held] of holds) {
        const against = held.find(
          (each) =>
            each.resource === resource && (mode === 'exclusive' || (each.mode === 'exclusive' && !each.waiting)),
        );
        if (against?.mode === 'exclusive')
          throw refusal(new Held(resource, { flowId, name: flows.get(flowId)?.name ?? '' }));
        waiting ||= against !== undefined;
      }
    }
    if (waiting && ahead !== undefined) throw new NotAhead();
    const at = now();
    const { holds: wanted, ...rest } = structuredClone(flow);
    flows.set(flow.id, {
      ...rest,
      ...(waiting && { lane: WAITING_LANE, owner: null }),
      state: 'pending',
      epoch: 1,
      seq: 0,
      wish: null,
      wishReason: null,
      claims: 0,
      doing: null,
      createdAt: at,
      updatedAt: at,
      endedAt: null,
    });
    steps.set(flow.id, []);
    holds.set(
      flow.id,
      wanted.map((hold) => ({ ...hold, waiting })),
    );
    if (ahead !== undefined) this.#write({ id: flow.id, epoch: 1, seq: 0 }, ahead);
    told(waiting ? 'waits' : 'made');
  }

  async grant(): Promise<boolean> {
    const waiting = [...this.#state.flows.values()].filter(({ lane }) => lane === WAITING_LANE);
    const free = waiting.filter(({ id }) => !this.#isKept(id));
    if (free.length > 0)
      await this.transaction(() => {
        for (const { id } of free) {
          const row = this.#state.flows.get(id);
          if (row?.lane !== WAITING_LANE || this.#isKept(id)) continue;
          this.#state.flows.set(id, { ...row, lane: FIRST_LANE });
          const holds = this.#state.holds.get(id) ?? [];
          this.#state.holds.set(
            id,
            holds.map((hold) => ({ ...hold, waiting: false })),
          );
        }
      });
    return waiting.length > free.length;
  }

  #isKept(id: string): boolean {
    const mine = this.#state.holds.get(id) ?? [];
    return [...this.#state.holds].some(
      ([other, holds]) =>
        other !== id &&
        holds.some(
          ({ resource, mode, waiting }) =>
            (!waiting || other < id) &&
            mine.some((each) => each.resource === resource && (each.mode === 'exclusive' || mode === 'exclusive')),
        ),
    );
  }

  append(claimed: Claimed, write: Write): Promise<void> {
    return this.transaction(() => this.#write(claimed, write));
  }

  transact(claimed: Claimed, make: (tx: RowTx) => Promise<Write>): Promise<void> {
    return this.transaction(async (tx) => {
      this.#fence(claimed);
      this.#write(claimed, await make(tx));
    });
  }

  #fence({ id, epoch, seq }: Claimed): FlowRow {
    const row = this.#state.flows.get(id);
    if (!row || row.epoch !== epoch || row.seq !== seq || row.endedAt !== null) throw new Fenced(`${id} is another's.`);
    return row;
  }

  #write(claimed: Claimed, write: Write): void {
    const row = this.#fence(claimed);
    // Through JSON and back, as a database would.
    this.#state.steps.get(claimed.id)?.push(...(JSON.parse(JSON.stringify(write.steps)) as Step[]));
    const at = now();
    const heard = hearsWish(write);
    this.#state.flows.set(claimed.id, {
      ...row,
      state: write.state,
      lane: write.lane,
      seq: row.seq + write.steps.length,
      claims: isProgress(write.steps) ? 0 : row.claims,
      owner: write.ended || write.released ? null : row.owner,
      wish: heard ? null : row.wish,
      wishReason: heard ? null : row.wishReason,
      updatedAt: at,
      endedAt: write.ended ? at : null,
    });
    if (write.ended) this.#state.holds.delete(claimed.id);
  }

  async claim({ process, lanes, admit, dropped, knows, fence }: ClaimRequest): Promise<readonly FlowRow[]> {
    const fenced = new Set<string>();
    for (const { owner, lane, endedAt } of [...this.#state.flows.values()]) {
      if (endedAt !== null || owner === null || owner === process || !lanes.includes(lane)) continue;
      if (!this.dead.has(owner) && !this.left.has(`${owner} ${lane}`)) continue;
      if (await fence(owner, lane)) fenced.add(`${owner} ${lane}`);
    }
    return this.transaction(() => {
      const waiting: FlowRow[] = [];
      for (const row of [...this.#state.flows.values()].sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1))) {
        if (row.endedAt !== null || !lanes.includes(row.lane)) continue;
        if (!knows.some(({ name, version }) => name === row.name && row.version <= version)) continue;
        const back =
          row.state === 'stuck' && (row.wish === 'resume' || row.wish === 'revert' || row.wish === 'abandon');
        if (row.state === 'stuck' && !back) continue;
        const free =
          row.owner === null ||
          fenced.has(`${row.owner} ${row.lane}`) ||
          (row.owner === process && dropped.includes(row.id));
        if (!free) continue;
        const next: FlowRow = {
          ...row,
          owner: process,
          epoch: row.epoch + 1,
          claims: back
            ? 0
            : row.owner === null || (this.left.has(`${row.owner} ${row.lane}`) && row.claims > 0)
              ? row.claims
              : row.claims + 1,
          ...(back ? { state: 'reverting' as const } : {}),
          ...(back && row.wish !== 'abandon' ? { wish: null, wishReason: null } : {}),
        };
        waiting.push(next);
      }
      const admitted = admit([...new Set(waiting.map(({ claims }) => claims))]);
      const claimed = waiting.filter(({ claims }) => admitted?.claims.includes(claims)).slice(0, admitted?.limit);
      for (const row of claimed) this.#state.flows.set(row.id, { ...row, doing: null });
      return claimed;
    });
  }

  handBack(process: string): Promise<void> {
    return this.transaction(() => {
      for (const row of this.#state.flows.values())
        if (row.owner === process && row.claims > 0) this.#state.flows.set(row.id, { ...row, claims: row.claims - 1 });
    });
  }

  async steps(flowId: string): Promise<readonly Step[]> {
    return structuredClone(this.#state.steps.get(flowId) ?? []);
  }

  async find(flowId: string): Promise<FlowRow | undefined> {
    return this.#state.flows.get(flowId);
  }

  async list({
    unended,
    state,
    resource,
    projectId,
    limit = Number.POSITIVE_INFINITY,
  }: FlowQuery): Promise<readonly FlowRow[]> {
    return [...this.#state.flows.values()]
      .filter((row) => !unended || row.endedAt === null)
      .filter((row) => state === undefined || row.state === state)
      .filter((row) => resource === undefined || row.resource === resource)
      .filter((row) => projectId === undefined || row.projectId === projectId)
      .slice(0, limit);
  }

  async wish(flowId: string, wish: Wish, reason: string): Promise<boolean> {
    const row = this.#state.flows.get(flowId);
    if (!row || row.endedAt !== null) return false;
    const stuck = row.state === 'stuck';
    if (((wish === 'resume' || wish === 'abandon') && !stuck) || (wish === 'cancel' && stuck)) return false;
    const turned = row.lane === WAITING_LANE && (wish === 'cancel' || wish === 'revert');
    this.#state.flows.set(flowId, { ...row, wish, wishReason: reason, ...(turned && { lane: FIRST_LANE }) });
    return true;
  }

  async wished(process: string) {
    return [...this.#state.flows.values()].flatMap(({ id, owner, wish, wishReason, endedAt }) =>
      wish !== null && owner === process && endedAt === null ? [{ id, wish, reason: wishReason ?? '' }] : [],
    );
  }

  async doing(flowId: string, doing: Doing | null): Promise<void> {
    const row = this.#state.flows.get(flowId);
    if (row) this.#state.flows.set(flowId, { ...row, doing });
  }

  async prune(endedBefore: Timestamp, limit: number): Promise<number> {
    const old = [...this.#state.flows.values()]
      .filter(({ endedAt }) => endedAt !== null && endedAt < endedBefore)
      .slice(0, limit);
    for (const { id } of old) {
      this.#state.flows.delete(id);
      this.#state.steps.delete(id);
    }
    return old.length;
  }

  isTrouble(error: unknown): boolean {
    return error instanceof JournalTrouble;
  }
}

/** Storage trouble that a test makes. */
export class JournalTrouble extends Error {
  override readonly name = 'JournalTrouble';
}
