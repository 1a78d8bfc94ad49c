/**
 * Why is it not done? One answer to that for a volume, a flow, a request, given alike by the API, the command line, the page and
 * alarms: six sentences, each with the facts it is made of.
 *
 * What, since when, how far (and how long it usually takes), what it waits for, what failed last, what comes next: by itself, or by
 * whose hand. A sentence that has nothing to say is null. Times are UTC; names are those of the API.
 */
import type { FlowState } from '../engine/journal.ts';
import type { Timestamp } from '../lib/clock.ts';

/** `rest`: nothing was ever done to it that is remembered. */
export type WhyState = 'running' | 'waiting' | 'retrying' | 'stuck' | 'failed' | 'done' | 'rest';

export interface Why {
  /** `volume:<id>`, `flow:<id>`, `request:<id>` */
  readonly about: string;
  readonly name: string | null;
  /** Of a thing; null where its row is gone. */
  readonly status: string | null;
  readonly state: WhyState;
  readonly flow: WhyFlow | null;
  /** Other flows that are at work on it, by their ids. */
  readonly others: readonly string[];
  readonly what: What;
  readonly since: Since | null;
  readonly how_far: HowFar | null;
  readonly waits_for: WaitsFor | null;
  readonly last_failure: LastFailure | null;
  readonly next: Next;
}

interface WhyFlow {
  readonly id: string;
  readonly name: string;
  readonly state: FlowState;
  readonly resource: string;
}

interface Sentence {
  /** Plain English, of one or two sentences. */
  readonly text: string;
}

interface What extends Sentence {
  readonly task: string | null;
  readonly reverting: boolean;
  /** From 1, of those that are done, under way and to come. */
  readonly task_number: number | null;
  readonly tasks: number | null;
}

interface Since extends Sentence {
  /** When the task began, or the flow ended. */
  readonly at: Timestamp;
  readonly flow_begun_at: Timestamp;
}

interface HowFar extends Sentence {
  /** 0…1 */
  readonly progress: number | null;
  readonly bytes: number | null;
  readonly of_bytes: number | null;
  /** Bytes a second. */
  readonly rate: number | null;
  /** Milliseconds: the median of the last times, where there were any. */
  readonly usual_ms: number | null;
  readonly spent_ms: number;
}

interface WaitsFor extends Sentence {
  readonly kind: 'flows' | 'process' | 'operator' | 'another try' | 'turn' | 'store';
  readonly since: Timestamp;
  readonly flows: readonly WhyFlow[];
}

interface LastFailure extends Sentence {
  readonly task: string;
  /** The error's name: `BackendFull`. */
  readonly error: string | null;
  readonly at: Timestamp;
  /** What the project's users were told. */
  readonly user_message: string | null;
}

interface Next extends Sentence {
  readonly by_itself: boolean;
  /** Not later than this. */
  readonly at: Timestamp | null;
  /** What an operator types. */
  readonly command: string | null;
}
