/** Where events go, as operators see it: which sinks take what they are given, which fail and since when, and when they are tried again. */
import type { Database } from '../db/database.ts';
import { readSinks } from '../db/sinks.ts';
import type { Timestamp } from '../lib/clock.ts';
import type { Retried, SinkState } from '../model/sink.ts';

export interface SinkFacts {
  /** `file`, `amqp`, `webhook:NAME` */
  readonly sink: string;
  /** `untried`: there has been no event for it yet. */
  readonly state: 'well' | 'failing' | 'untried';
  /** When it last took an event. */
  readonly succeeded_at: Timestamp | null;
  readonly failing_since: Timestamp | null;
  /** That failed since then. */
  readonly tries: number;
  /** Of the last failure: of an answer its status, never its body. */
  readonly reason: string | null;
  /** Null where nothing is to be tried again, or not before a restart. */
  readonly next_try_at: Timestamp | null;
  /** Resources whose events wait for one that was refused. */
  readonly waiting: readonly WaitingFacts[];
}

export interface WaitingFacts {
  readonly resource: string;
  readonly since: Timestamp;
  readonly tries: number;
  readonly reason: string;
  readonly next_try_at: Timestamp | null;
}

/** `names`: the sinks of the configuration. */
export async function sinkFacts({ read }: Pick<Database, 'read'>, names: readonly string[]): Promise<SinkFacts[]> {
  return [...(await readSinks(read, names))].map(([sink, state]) => ({
    sink,
    state: wordOf(state),
    succeeded_at: state.succeededAt,
    failing_since: state.failing?.since ?? null,
    tries: state.failing?.tries ?? 0,
    reason: state.failing?.reason ?? null,
    next_try_at: state.failing?.nextTryAt ?? null,
    waiting: state.waiting.map((waiting) => ({ resource: waiting.resource, ...retried(waiting) })),
  }));
}

const wordOf = ({ failing, succeededAt }: SinkState): SinkFacts['state'] =>
  failing ? 'failing' : succeededAt === null ? 'untried' : 'well';

const retried = ({ since, tries, reason, nextTryAt }: Retried) => ({ since, tries, reason, next_try_at: nextTryAt });
