/** Flows and their stories as programs read them (`--json`): the words of the API, times in UTC. */
import type { Holder } from '../db/journal-holds.ts';
import type { Copying, FlowRow, Waiting } from '../engine/journal.ts';
import type { Story } from '../engine/story.ts';
import type { Json } from '../lib/json.ts';
import { rateOf } from './progress.ts';

export function flowFacts(flow: FlowRow, holders: readonly Holder[]): { readonly [key: string]: Json } {
  return {
    id: flow.id,
    name: flow.name,
    version: flow.version,
    state: flow.state,
    resource: flow.resource,
    project_id: flow.projectId,
    request_id: flow.requestId,
    lane: flow.lane,
    owner: flow.owner,
    epoch: flow.epoch,
    claims: flow.claims,
    wish: flow.wish,
    wish_reason: flow.wishReason,
    doing: flow.doing && {
      ...flow.doing,
      copying: copyingFacts(flow.doing.copying),
      waiting: waitingFacts(flow.doing.waiting),
    },
    kept_by: holders.map(({ resource, flowId, name, state }) => ({ resource, flow_id: flowId, name, state })),
    created_at: flow.createdAt,
    updated_at: flow.updatedAt,
    ended_at: flow.endedAt,
  };
}

export function storyFacts(
  { flow, steps, now, next }: Story,
  holders: readonly Holder[],
): { readonly [key: string]: Json } {
  return {
    ...flowFacts(flow, holders),
    steps: steps.map(({ node, event, attempt, startedAt, at, ms, failure, choice, result }) => ({
      node,
      event,
      attempt,
      started_at: startedAt,
      at,
      ms,
      failure: failure && { ...failure },
      choice,
      result,
    })),
    now: now && {
      node: now.node,
      reverting: now.reverting,
      since: now.since,
      progress: now.progress,
      copying: copyingFacts(now.copying),
      waiting: waitingFacts(now.waiting),
      waits_for: now.waitsFor,
    },
    next: next.map((coming) => ({ ...coming })),
  };
}

const waitingFacts = (waiting: Waiting | null | undefined): Json => (waiting ? { ...waiting } : null);

/** Bytes, and a second's. */
const copyingFacts = (copying: Copying | null | undefined): Json =>
  copying ? { bytes: copying.bytes, of: copying.of, rate: rateOf(copying), at: copying.at } : null;
