/**
 * The journal (a write-ahead log of flows) and the queue they are claimed from: what the engine asks of a database.
 *
 * All that the engine knows is in the application's own database, so that a flow can begin in the transaction that makes its
 * row, and a record task can write rows in the transaction of its own journal entry.
 *
 * **Fencing.** A claim raises the flow's epoch (a fencing token). Every write names the epoch it was made under, and a stale one
 * writes nothing: it rejects with `Fenced`. So a process that was frozen and thawed cannot undo what another one did since.
 *
 * **Group commit.** `append` calls of one event-loop turn, of all flows, may share one commit. A call resolves after
 * its commit is durable, never before.
 */
import type { Timestamp } from '../lib/clock.ts';
import type { Copied, Wait } from '../lib/progress.ts';
import type { Store } from './flow.ts';
import type { Admission } from './quarantine.ts';
import type { Step } from './step.ts';

/** A transaction of the application's own database. */
export interface EngineTx {
  /** Runs in the transaction, when its caller has done all else in it. */
  atEnd(work: () => Promise<void>): void;
  /** Runs after the commit, never if it does not happen. */
  onCommit(then: () => void): void;
  /** Its caller runs once more from the beginning, after `NotAhead`. */
  readonly repeated: boolean;
}

/** What was tried ahead in a transaction cannot be: nothing of it stands, and its caller runs once more at once. */
export class NotAhead extends Error {
  override readonly name = 'NotAhead';
  constructor(options?: ErrorOptions) {
    super('A flow could not go on in the transaction that began it.', options);
  }
}

export const FLOW_STATES = ['pending', 'running', 'reverting', 'stuck', 'success', 'reverted'] as const;
export type FlowState = (typeof FLOW_STATES)[number];

/**
 * What a flow keeps others from. Two holds of a resource go together when both are shared.
 *
 * A flow that wants for itself what others only share **waits** for them, in `WAITING_LANE`: it holds nothing meanwhile, and gets
 * all its holds at once when none of them is forbidden, so flows cannot wait for each other in a circle. Of two that wait and
 * do not go together the one with the lower id is first. Who only shares is not kept out by one that waits. What another flow
 * has, or waits to have, for itself is refused: it will not be what it was when this one asked.
 */
export interface Hold {
  /** `volume:<id>` */
  readonly resource: string;
  readonly mode: 'exclusive' | 'shared';
}

/** The lane of flows that wait for their holds. Nobody owns it. */
export const WAITING_LANE = 'holds';

/** What became of a flow that was to begin: it was there already, or waits for its holds. */
export type Begun = 'made' | 'there' | 'waits';

export interface FlowRow {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly lane: string;
  readonly state: FlowState;
  readonly input: Store;
  /** The process that runs it. */
  readonly owner: string | null;
  readonly epoch: number;
  /** Number of steps. */
  readonly seq: number;
  readonly wish: Wish | null;
  readonly wishReason: string | null;
  /**
   * Claims from owners that were gone, since a node last ended (`isProgress`). One from an owner that stopped in order, or has left the
   * lane to others, counts only where it is the first.
   */
  readonly claims: number;
  /** For people: the world task that runs. */
  readonly doing: Doing | null;
  readonly resource: string;
  readonly projectId: string;
  readonly requestId: string;
  /** Of whoever asked for it, a `traceparent` of W3C's trace context; the engine only carries it. */
  readonly trace: string | null;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp;
  readonly endedAt: Timestamp | null;
}

export type NewFlow = Pick<
  FlowRow,
  'id' | 'name' | 'version' | 'lane' | 'input' | 'owner' | 'resource' | 'projectId' | 'requestId' | 'trace'
> & {
  readonly holds: readonly Hold[];
};

/** A copy under way. What was there of it before it began is not its own work. */
export interface Copying extends Copied {
  readonly since: Timestamp;
  /** Bytes that were there then. */
  readonly from: number;
  /** When it had `bytes`. */
  readonly at: Timestamp;
}

/** What a task waits for that failed and is tried again in place; the failure is why. */
export const ANOTHER_TRY = 'another try';

export interface Waiting extends Wait {
  readonly since: Timestamp;
}

export interface Doing {
  readonly node: string;
  readonly since: Timestamp;
  /** 0…1, or null when the task does not say. */
  readonly progress: number | null;
  /** Absent when it copies nothing, or does not say. */
  readonly copying?: Copying;
  /** Absent when it goes on. */
  readonly waiting?: Waiting;
}

/**
 * `cancel`: stop and revert, but never a task that only goes forward. `revert`: that too, and a revert waits for nobody who does not answer.
 * `resume`: try a stuck revert again.
 * `abandon`: give the stuck revert up, with what it has not undone, and go on with the others.
 */
export type Wish = 'cancel' | 'revert' | 'resume' | 'abandon';

/** Steps of one flow, written together or not at all. */
export interface Write {
  readonly steps: readonly Step[];
  readonly state: FlowState;
  readonly lane: string;
  /** No task is left: the flow ends and its holds are released. */
  readonly ended: boolean;
  /** Nobody runs it from now on: another lane's owner, or an operator, is next. */
  readonly released: boolean;
}

/** Whether what was wished of the flow is done with this write, or moot. */
export function hearsWish({ steps, state, ended }: Write): boolean {
  return ended || state === 'stuck' || steps.some(({ event }) => event === 'cancelled' || event === 'abandoned');
}

/** Which flow, under which claim, after how many steps. */
export interface Claimed {
  readonly id: string;
  readonly epoch: number;
  readonly seq: number;
}

export interface ClaimRequest {
  readonly process: string;
  readonly lanes: readonly string[];
  /**
   * Which of the waiting flows are taken up, and how many: it is told the counts they would be claimed with, each once. Asked
   * again each time; nothing is claimed when it says nothing.
   */
  admit(waiting: readonly number[]): Admission | undefined;
  /** Flows of this process that it runs no more: a runner was fenced, or failed by a mistake of ours. */
  readonly dropped: readonly string[];
  /** The newest version this process knows of each flow. What is newer, or has another name, is left to others. */
  readonly knows: readonly { readonly name: string; readonly version: number }[];
  /**
   * Asked before flows of a process that is gone, or has left the lane to others, are taken up in it: whether what it did there has an
   * end. Those of whom it has none wait for the next look.
   */
  fence(process: string, lane: string): Promise<boolean>;
}

export interface FlowQuery {
  readonly unended?: boolean;
  readonly state?: FlowState;
  readonly resource?: string;
  readonly projectId?: string;
  readonly limit?: number;
}

export interface Journal<Tx extends EngineTx> {
  /**
   * Begins a flow inside the caller's transaction and takes its holds or waits for them, at once or when the transaction
   * ends. The same id is the same flow. `told` hears what became of it before the transaction's hooks run. When another flow
   * has for itself what this one needs, nothing of what the caller wrote stands, and its transaction rejects with `refusal` of it.
   * `ahead` is what the flow has done in this transaction: it stands when the flow is made, else all is undone by `NotAhead`.
   */
  insert(
    tx: Tx,
    flow: NewFlow,
    ahead: Write | undefined,
    told: (begun: Begun) => void,
    refusal: (held: Held) => Error,
  ): Promise<void>;
  /** Gives the flows that wait the holds which nobody forbids any more; anybody may claim them then. Whether some go on waiting. */
  grant(): Promise<boolean>;
  /** What is no progress leaves `claims` as they are. Rejects with `Fenced`. */
  append(claimed: Claimed, write: Write): Promise<void>;
  /**
   * The steps are made inside a transaction by `make`, which may be called again, and under a claim that is another's by now: nothing
   * of it stands then. `resource` is what the flow works on, and `make` is likely to read. Rejects with `Fenced`.
   */
  transact(claimed: Claimed, make: (tx: Tx) => Promise<Write>, resource?: string): Promise<void>;
  /**
   * Takes flows of these lanes that nobody runs, or whose process is dead, the oldest first; a stuck one only when it is
   * wished back (`resume`, `revert`, `abandon`), and then with no claims counted against it. `claims` counts those from an owner, so
   * it is 0 when nobody can have begun the task at the cursor. `doing` is what the former owner had said; the database forgets it.
   */
  claim(request: ClaimRequest): Promise<readonly FlowRow[]>;
  /**
   * The process stops in order, which tells nothing against its flows: each has one claim less, down to 0, so that the one that takes it
   * up again counts as many as this process had counted, and 1 where that was none: the task at the cursor may have begun.
   */
  handBack(process: string): Promise<void>;
  steps(flowId: string): Promise<readonly Step[]>;
  find(flowId: string): Promise<FlowRow | undefined>;
  list(query: FlowQuery): Promise<readonly FlowRow[]>;
  /**
   * Keeps the wish in the row until it was heeded (a step `cancelled` or `abandoned`) or the flow is stuck or has ended. False when it
   * makes no sense: the flow has ended, a `resume` or `abandon` of one that is not stuck, a `cancel` of one that is. A flow that reverts
   * may be cancelled: it tries nothing again. One that waits for its holds waits no more: it is claimed without them, to be reverted.
   */
  wish(flowId: string, wish: Wish, reason: string): Promise<boolean>;
  /** Flows that this process runs and somebody wishes something of. */
  wished(process: string): Promise<readonly { readonly id: string; readonly wish: Wish; readonly reason: string }[]>;
  /** For people only; need not be durable. */
  doing(flowId: string, doing: Doing | null): Promise<void>;
  /** Forgets up to `limit` flows that ended before, with their steps. Returns how many. */
  prune(endedBefore: Timestamp, limit: number): Promise<number>;
  /** Storage trouble that passes (disk full, connection lost): the write is tried again, the flow does not fail. */
  isTrouble(error: unknown): boolean;
}

/** Another flow holds a resource this one needs. */
export class Held extends Error {
  override readonly name = 'Held';
  readonly resource: string;
  readonly by: { readonly flowId: string; readonly name: string };
  constructor(resource: string, by: { readonly flowId: string; readonly name: string }) {
    super(`${resource} is held by ${by.name} (flow ${by.flowId}).`);
    this.resource = resource;
    this.by = by;
  }
}
