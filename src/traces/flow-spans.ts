/**
 * The spans of a flow that has ended, made from its journal alone: one for the flow, one for each try of a span of attempts, one
 * for each task and each revert, and one for each that its process did not live to end. The times are the journal's, so it does not matter which processes ran it, nor which tells of it.
 *
 * They are made when the flow ends, all at once: before, a task's span would stand in its trace without a parent, and a flow's
 * own cannot be told twice.
 */
import type { Failure } from '../engine/failure.ts';
import type { AnyFlow } from '../engine/flow.ts';
import type { FlowRow } from '../engine/journal.ts';
import type { Step } from '../engine/step.ts';
import type { Timestamp } from '../lib/clock.ts';
import { parseTraceparent } from '../lib/traceparent.ts';
import { type Span, type SpanAttributes, type SpanEvent, spanId, traceOfRequest } from './span.ts';

/** A flow whose code is not known has no spans of attempts. */
export function spansOfFlow(row: FlowRow, steps: readonly Step[], flow: AnyFlow | undefined): readonly Span[] {
  const { endedAt } = row;
  if (endedAt === null) return [];
  const parent = parseTraceparent(row.trace ?? undefined);
  const { traceId } = parent ?? traceOfRequest(row.requestId);
  const facts: SpanAttributes = {
    'pumice.flow': row.name,
    'pumice.flow_id': row.id,
    'pumice.resource': row.resource,
    'pumice.request_id': row.requestId,
    'pumice.project_id': row.projectId,
  };
  const internal = { kind: 'internal', traceId } as const;
  const own = spanId(row.id);
  const failure = steps.find(({ event }) => event === 'failed' || event === 'cancelled');
  const attempts = attemptsOf(row, steps, flow);
  const parentOf = (step: Step): string => attempts.find(({ steps }) => steps.includes(step))?.id ?? own;
  return [
    {
      ...internal,
      name: row.name,
      spanId: own,
      parentId: parent?.spanId,
      start: row.createdAt,
      end: endedAt,
      attributes: { ...facts, 'pumice.state': row.state },
      events: steps.flatMap(choiceEvent),
      failure: row.state === 'reverted' ? failureOf(failure)?.message : undefined,
    },
    ...attempts.map(({ id, name, number, steps, failure }) => ({
      ...internal,
      name,
      spanId: id,
      parentId: own,
      start: steps.map(startOf).reduce((a, b) => (a < b ? a : b)),
      end: steps.map(({ at }) => at).reduce((a, b) => (a > b ? a : b)),
      attributes: { ...facts, 'pumice.attempt': number },
      events: [],
      failure: failure?.message,
    })),
    ...steps.flatMap((step, seq): Span[] => {
      const name = taskName(step);
      if (name === undefined) return [];
      return [
        {
          ...internal,
          name,
          spanId: spanId(`${row.id} ${seq}`),
          parentId: parentOf(step),
          start: startOf(step),
          end: step.at,
          attributes: {
            ...facts,
            'pumice.task': step.node,
            'pumice.attempt': step.attempt,
            'pumice.event': step.event,
          },
          events: [...retriesBefore(steps, seq), ...failureEvent(step)],
          failure: failureOf(step)?.message,
        },
      ];
    }),
  ];
}

interface Attempt {
  readonly id: string;
  readonly name: string;
  readonly number: number;
  readonly steps: readonly Step[];
  readonly failure: Failure | undefined;
}

/** What happened inside the flow's span of attempts, try by try. */
function attemptsOf({ id }: FlowRow, steps: readonly Step[], flow: AnyFlow | undefined): readonly Attempt[] {
  return (flow?.nodes ?? []).flatMap((span, index) => {
    if (span.kind !== 'span') return [];
    const nodes = flow?.nodes.slice(index, span.end) ?? [];
    const inside = new Set(
      nodes.flatMap((node) => (node.kind === 'parallel' ? node.branches.map(({ path }) => path) : [node.path])),
    );
    const within = steps.filter(({ node }) => inside.has(node));
    return [...new Set(within.map(({ attempt }) => attempt))].map((number) => {
      const tried = within.filter(({ attempt }) => attempt === number);
      return {
        id: spanId(`${id} ${span.path} ${number}`),
        name: span.path,
        number,
        steps: tried,
        failure: tried.map(failureOf).find((failure) => failure !== undefined),
      };
    });
  });
}

/** A record shares a commit: it has no length. */
const startOf = ({ startedAt, at }: Step): Timestamp => startedAt ?? at;

/** Undefined for what is no work of a task. */
function taskName({ event, node, data }: Step): string | undefined {
  switch (event) {
    case 'done':
    case 'failed':
      return node;
    case 'reverted':
    case 'revert_failed':
      return `revert of ${node}`;
    case 'interrupted':
      return data.reverting ? `revert of ${node}` : node;
    case 'chosen':
    case 'cancelled':
    case 'abandoned':
    case 'rejected':
    case 'retried':
      return undefined;
  }
}

function failureOf(step: Step | undefined): Failure | undefined {
  switch (step?.event) {
    case 'failed':
    case 'cancelled':
    case 'revert_failed':
    case 'rejected':
      return step.data.failure;
    default:
      return undefined;
  }
}

const exception = (failure: Failure, at: Timestamp, more: SpanAttributes = {}): SpanEvent => ({
  name: 'exception',
  at,
  attributes: { 'exception.type': failure.name, 'exception.message': failure.message, ...more },
});

function failureEvent(step: Step): SpanEvent[] {
  const failure = failureOf(step);
  return failure === undefined ? [] : [exception(failure, step.at)];
}

/** What the task failed with before it was tried again in place. */
function retriesBefore(steps: readonly Step[], seq: number): SpanEvent[] {
  const { node } = steps[seq] as Step;
  const since = steps.slice(0, seq).findLastIndex((step) => step.node === node && step.event !== 'retried');
  return steps
    .slice(since + 1, seq)
    .flatMap((step) =>
      step.event === 'retried' && step.node === node
        ? [exception(step.data.failure, step.at, { 'pumice.tries': step.data.tries })]
        : [],
    );
}

/** What was decided on the way, and what an operator did. */
function choiceEvent({ event, node, at, data }: Step): SpanEvent[] {
  if (event === 'chosen') return [{ name: 'chosen', at, attributes: { 'pumice.node': node, 'pumice.choice': data } }];
  if (event === 'cancelled') return [exception(data.failure, at)];
  if (event === 'abandoned')
    return [{ name: 'abandoned', at, attributes: { 'pumice.node': node, 'pumice.reason': data.reason } }];
  return [];
}
