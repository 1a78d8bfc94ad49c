import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Step } from '../../src/engine/step.ts';
import { spansOfFlow } from '../../src/traces/flow-spans.ts';
import type { Span } from '../../src/traces/span.ts';
import { ago, failure, flowRow, makeVolume, step } from '../cli/stories.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const REQUEST = '00f067aa0ba902b7';
const ENDED = { state: 'success', endedAt: ago(1), trace: `00-${TRACE}-${REQUEST}-01` } as const;
const FULL = { failure: failure({}), interrupted: false };

/** Tried on one backend, undone there, done on another. */
const ELSEWHERE: readonly Step[] = [
  step('error_out', 'done', { at: ago(11) }),
  step('choose_pool', 'done', { at: ago(10), data: { pool: 'east' } }),
  step('make_on_backend', 'retried', { at: ago(9.3), data: { failure: failure({ name: 'Slow' }), tries: 1 } }),
  step('make_on_backend', 'failed', { startedAt: ago(9.5), at: ago(9), data: FULL }),
  step('make_on_backend', 'reverted', { startedAt: ago(9), at: ago(8.5) }),
  step('choose_pool', 'reverted', { at: ago(8.4) }),
  step('elsewhere', 'rejected', { at: ago(8.4), data: { attempt: 1, failure: failure({}), choice: 'east' } }),
  step('choose_pool', 'done', { attempt: 2, at: ago(8.3), data: { pool: 'west' } }),
  step('make_on_backend', 'done', { attempt: 2, startedAt: ago(8), at: ago(7.5) }),
  step('from_image', 'chosen', { attempt: 2, data: false, at: ago(7) }),
  step('finish;create.end', 'done', { attempt: 2, at: ago(1) }),
];

const tree = (spans: readonly Span[]): string[] => {
  const under = (parent: string | undefined, depth: number): string[] =>
    spans
      .filter(({ parentId }) => parentId === parent)
      .flatMap((span) => [
        `${'  '.repeat(depth)}${span.name}${span.failure ? ` ✗ ${span.failure}` : ''}`,
        ...under(span.spanId, depth + 1),
      ]);
  return under(REQUEST, 0);
};

describe('the spans of a flow', () => {
  it('are its tasks and reverts below the try that each belongs to, below the flow, below its request', () => {
    assert.deepEqual(tree(spansOfFlow(flowRow(ENDED), ELSEWHERE, makeVolume)), [
      'make_volume',
      '  elsewhere ✗ There is no room on node1@east for 100 GiB.',
      '    choose_pool',
      '    make_on_backend ✗ There is no room on node1@east for 100 GiB.',
      '    revert of make_on_backend',
      '    revert of choose_pool',
      '  elsewhere',
      '    choose_pool',
      '    make_on_backend',
      '  error_out',
      '  finish;create.end',
    ]);
  });

  it('have the times of the journal, of a try from its first task to its end', () => {
    const spans = spansOfFlow(flowRow(ENDED), ELSEWHERE, makeVolume);
    const times = (name: string) => spans.filter((span) => span.name === name).map(({ start, end }) => [start, end]);
    assert.deepEqual(times('make_volume'), [[ago(12), ago(1)]]);
    assert.deepEqual(times('make_on_backend'), [
      [ago(9.5), ago(9)],
      [ago(8), ago(7.5)],
    ]);
    assert.deepEqual(times('elsewhere'), [
      [ago(10), ago(8.4)],
      [ago(8.3), ago(7)],
    ]);
    assert.deepEqual(times('error_out'), [[ago(11), ago(11)]]);
  });

  it('are the same whoever makes them, and each has an id of its own', () => {
    const spans = spansOfFlow(flowRow(ENDED), ELSEWHERE, makeVolume);
    assert.deepEqual(spansOfFlow(flowRow({ ...ENDED, owner: 'other' }), ELSEWHERE, makeVolume), spans);
    const ids = spans.map(({ spanId }) => spanId);
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids) assert.match(id, /^[0-9a-f]{16}$/);
    const another = spansOfFlow(flowRow({ ...ENDED, id: 'another' }), ELSEWHERE, makeVolume);
    assert.equal(new Set([...ids, ...another.map(({ spanId }) => spanId)]).size, 2 * ids.length);
  });

  it('say of what flow, resource and request each is, so that any of them is found by it', () => {
    for (const { traceId, attributes } of spansOfFlow(flowRow(ENDED), ELSEWHERE, makeVolume)) {
      assert.equal(traceId, TRACE);
      assert.equal(attributes['pumice.flow_id'], flowRow({}).id);
      assert.equal(attributes['pumice.resource'], flowRow({}).resource);
      assert.equal(attributes['pumice.request_id'], flowRow({}).requestId);
    }
  });

  it('tell what a task failed with before it was tried again in place', () => {
    const [first, second] = spansOfFlow(flowRow(ENDED), ELSEWHERE, makeVolume).filter(
      ({ name }) => name === 'make_on_backend',
    );
    const types = (span: Span | undefined) => span?.events.map(({ attributes }) => attributes['exception.type']);
    assert.deepEqual(types(first), ['Slow', 'BackendFull']);
    assert.deepEqual(types(second), []);
  });

  it('have one for what a process did not live to end, up to when another took it up', () => {
    const steps = [
      step('error_out', 'done', { at: ago(11) }),
      step('make_on_backend', 'retried', { at: ago(9.5), data: { failure: failure({ name: 'Slow' }), tries: 1 } }),
      step('make_on_backend', 'interrupted', { startedAt: ago(10), at: ago(9), data: { reverting: false } }),
      step('make_on_backend', 'failed', { startedAt: ago(9), at: ago(8), data: FULL }),
      step('make_on_backend', 'interrupted', { at: ago(7), data: { reverting: true } }),
      step('make_on_backend', 'reverted', { startedAt: ago(6), at: ago(5) }),
    ];
    const spans = spansOfFlow(flowRow({ ...ENDED, state: 'reverted' }), steps, undefined).slice(2);
    assert.deepEqual(
      spans.map(({ name, start, end, attributes }) => [name, start, end, attributes['pumice.event']]),
      [
        ['make_on_backend', ago(10), ago(9), 'interrupted'],
        ['make_on_backend', ago(9), ago(8), 'failed'],
        ['revert of make_on_backend', ago(7), ago(7), 'interrupted'],
        ['revert of make_on_backend', ago(6), ago(5), 'reverted'],
      ],
    );
    assert.deepEqual(
      spans.map(({ events }) => events.length),
      [1, 1, 0, 0],
      'what it was tried with before belongs to the try that was cut off',
    );
  });

  it('of one that was reverted say why', () => {
    const steps = [
      step('error_out', 'done'),
      step('choose_pool', 'cancelled', { data: { ...FULL, failure: failure({ message: 'Not wanted.' }) } }),
    ];
    const [flow] = spansOfFlow(flowRow({ ...ENDED, state: 'reverted' }), steps, makeVolume);
    assert.equal(flow?.failure, 'Not wanted.');
  });

  it('of one that nobody traced are in a trace that its request has, too', () => {
    const untraced = { ...ENDED, trace: null };
    const [flow] = spansOfFlow(flowRow(untraced), [], makeVolume);
    const [sibling] = spansOfFlow(flowRow({ ...untraced, id: 'sibling' }), [], makeVolume);
    assert.match(flow?.traceId ?? '', /^[0-9a-f]{32}$/);
    assert.equal(sibling?.traceId, flow?.traceId);
    assert.equal(flow?.parentId, undefined);
  });

  it('are told without its tries when its code is not known, and not at all before it ends', () => {
    assert.ok(!spansOfFlow(flowRow(ENDED), ELSEWHERE, undefined).some(({ name }) => name === 'elsewhere'));
    assert.deepEqual(spansOfFlow(flowRow({}), ELSEWHERE, makeVolume), []);
  });
});
