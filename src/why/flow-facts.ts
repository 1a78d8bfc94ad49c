/**
 * Flows and their stories as programs read them (`--json`, the API): the words of the API, times in UTC.
 *
 * Hosts, processes, and reasons as they came from a backend are for operators alone. An owner is shown the same story without them, and
 * reads the reason of a failure in its messages.
 */
import type { Holder } from '../db/journal-holds.ts';
import type { Message } from '../db/messages.ts';
import type { Copying, FlowRow, Waiting } from '../engine/journal.ts';
import type { Story, ToldStep } from '../engine/story.ts';
import type { Json } from '../lib/json.ts';
import { rateOf } from './progress.ts';

export type Reader = 'operator' | 'owner';
type Facts = { readonly [key: string]: Json };

export function flowFacts(flow: FlowRow, holders: readonly Holder[], reader: Reader = 'operator'): Facts {
  const forOperators = <T>(fact: T): T | null => (reader === 'operator' ? fact : null);
  return {
    id: flow.id,
    name: flow.name,
    version: flow.version,
    state: flow.state,
    resource: flow.resource,
    project_id: flow.projectId,
    request_id: flow.requestId,
    lane: forOperators(flow.lane),
    owner: forOperators(flow.owner),
    epoch: flow.epoch,
    claims: flow.claims,
    wish: flow.wish,
    wish_reason: forOperators(flow.wishReason),
    doing: flow.doing && {
      ...flow.doing,
      copying: copyingFacts(flow.doing.copying),
      waiting: waitingFacts(flow.doing.waiting, reader),
    },
    kept_by: holders.map(({ resource, flowId, name, state }) => ({ resource, flow_id: flowId, name, state })),
    created_at: flow.createdAt,
    updated_at: flow.updatedAt,
    ended_at: flow.endedAt,
  };
}

/** `messages`: what its request has told the project's users of its resource. */
export function storyFacts(
  { flow, steps, now, next }: Story,
  holders: readonly Holder[],
  messages: readonly Message[],
  reader: Reader = 'operator',
): Facts {
  return {
    ...flowFacts(flow, holders, reader),
    steps: steps.map((step) => stepFacts(step, reader)),
    now: now && {
      node: now.node,
      reverting: now.reverting,
      since: now.since,
      progress: now.progress,
      copying: copyingFacts(now.copying),
      waiting: waitingFacts(now.waiting, reader),
      waits_for: now.waitsFor,
    },
    next: next.map((coming) => ({ ...coming })),
    messages: messages.map(({ id, eventId, text, createdAt }) => ({
      id,
      event_id: eventId,
      user_message: text,
      created_at: createdAt,
    })),
  };
}

function stepFacts({ node, event, attempt, startedAt, at, ms, tries, ...told }: ToldStep, reader: Reader): Facts {
  const { failure, choice, result, reason } = reader === 'operator' ? told : UNTOLD;
  return {
    node,
    event,
    attempt,
    started_at: startedAt,
    at,
    ms,
    tries,
    failure: failure && { ...failure },
    choice,
    result,
    reason,
  };
}

const UNTOLD = { failure: null, choice: null, result: null, reason: null } as const;

const waitingFacts = (waiting: Waiting | null | undefined, reader: Reader): Json =>
  waiting ? { ...waiting, why: reader === 'operator' ? waiting.why : null } : null;

/** Bytes, and a second's. */
const copyingFacts = (copying: Copying | null | undefined): Json =>
  copying ? { bytes: copying.bytes, of: copying.of, rate: rateOf(copying), at: copying.at } : null;
