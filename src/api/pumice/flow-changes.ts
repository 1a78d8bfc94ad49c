/**
 * What is another of flows since somebody last looked: those that began, went on, or ended. Flows that ended are found by their time of
 * end, so also one that nobody saw run.
 *
 * Beyond the newest thousand in flight nobody's progress is told; their ends are.
 */
import { flowRow } from '../../db/journal-rows.ts';
import type { Queries } from '../../db/sql/db.ts';
import { flowsEndedAfter, flowsWatched, unendedFlowsWatched, type WatchedFlow } from '../../db/watched-flows.ts';
import type { Change } from '../../events/hub.ts';
import { now, type Timestamp } from '../../lib/clock.ts';
import { flowFacts, type Reader } from '../../why/flow-facts.ts';

const MOST = 1_000;

/** A reader of the changes of all flows. The first call finds none. */
export function flowChanges(db: Queries): () => Promise<readonly Change[]> {
  /** What was last told of those in flight. */
  let before: ReadonlyMap<string, string> | undefined;
  let endedAt: Timestamp = now();
  return async () => {
    const unended = await unendedFlowsWatched(db, MOST);
    const ended = await flowsEndedAfter(db, endedAt, MOST);
    const after = new Map(unended.map((flow) => [flow.id, markOf(flow)]));
    const gone = [...(before?.keys() ?? [])].filter((id) => !after.has(id) && !ended.some((flow) => flow.id === id));
    const others = gone.length === 0 ? [] : await flowsWatched(db, gone);
    const moved = unended.filter((flow) => before?.get(flow.id) !== after.get(flow.id)).toReversed();
    const first = before === undefined;
    before = after;
    endedAt = ended.at(-1)?.ended_at ?? endedAt;
    return first ? [] : [...moved, ...others.filter(({ ended_at }) => ended_at !== null), ...ended].map(changeOf);
  };
}

const markOf = ({ seq, state, lane, wish, doing }: WatchedFlow): string => `${seq} ${state} ${lane} ${wish} ${doing}`;

/** As in a list of flows, but for what it waits for, which other flows decide. */
function changeOf(row: WatchedFlow): Change {
  const flow = flowRow(row);
  const told = (reader: Reader): string => {
    const { kept_by: _, ...facts } = flowFacts(flow, [], reader);
    return JSON.stringify({ is: 'flow', ...facts });
  };
  return { key: `flow:${flow.id}`, projectId: flow.projectId, own: told('owner'), full: told('operator') };
}
