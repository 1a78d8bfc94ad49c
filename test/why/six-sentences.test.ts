/** What *why* says of a flow in each state it can be in, in a terminal of eighty columns; and what it says to an owner. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { whyLines } from '../../src/cli/why.ts';
import type { Holder } from '../../src/db/journal-holds.ts';
import type { Message } from '../../src/db/messages.ts';
import { type FlowRow, WAITING_LANE } from '../../src/engine/journal.ts';
import type { Step } from '../../src/engine/step.ts';
import { tellStory } from '../../src/engine/story.ts';
import { atRest, sixSentences, type WhyAround } from '../../src/why/six-sentences.ts';
import type { Why } from '../../src/why/why.ts';
import { captured } from '../cli/captured.ts';
import { ago, failure, flowRow, makeVolume, NOW, step } from '../cli/stories.ts';
import { assertGolden } from '../golden.ts';

const VOLUME = 'volume:1b6c2f3a-7d1e-4c52-8a43-0c2b7f1d9e01';
const FULL = { failure: failure({}), interrupted: false };

const BEGUN: readonly Step[] = [
  step('error_out', 'done', { at: ago(11) }),
  step('choose_pool', 'done', { data: { pool: 'node1@east#east' } }),
  step('lane-3', 'chosen', { data: 'host:node1@east' }),
  step('make_on_backend', 'done', { startedAt: ago(9), at: ago(8) }),
  step('from_image', 'chosen', { data: true, at: ago(7) }),
];
const FAILED: readonly Step[] = [
  ...BEGUN,
  step('fill/fetch', 'failed', { startedAt: ago(7), at: ago(6), data: { ...FULL, final: true } }),
];
const STUCK: readonly Step[] = [
  ...FAILED,
  step('fill/fetch', 'reverted', { startedAt: ago(6), at: ago(5.5) }),
  step('make_on_backend', 'revert_failed', { startedAt: ago(5), at: ago(4), data: FULL }),
];
const LOST = failure({ name: 'DriverNotInitialized', message: '/srv/east is gone; is it mounted?' });
const NONE = failure({ task: 'choose_pool', name: 'NoValidBackend', message: 'No valid backend was found.' });
const NOWHERE: readonly Step[] = [
  ...BEGUN.slice(0, 3),
  step('make_on_backend', 'failed', { at: ago(8), data: { failure: LOST, interrupted: false, final: true } }),
  step('elsewhere', 'rejected', { at: ago(7), data: { attempt: 1, failure: LOST, choice: 'node1@east#east' } }),
  step('choose_pool', 'failed', { attempt: 2, at: ago(6), data: { failure: NONE, interrupted: false, final: true } }),
];
const RETRIED = step('fill/fetch', 'retried', {
  at: ago(3),
  data: { failure: failure({ task: 'fill/fetch' }), tries: 4 },
});
const COPYING = { bytes: 540 * 2 ** 20, of: 2 ** 31, from: 0, since: ago(60), at: NOW };
const FETCHING = { node: 'fill/fetch', since: ago(60), progress: 0.25 };

const holder = (index: number, state: Holder['state'] = 'running'): Holder => ({
  resource: VOLUME,
  flowId: `f1b2c3d4-5b7e-700${index}-8d55-8f6f9d3c1a11`,
  name: 'create_volume',
  state,
});

const message: Message = {
  id: 'm',
  projectId: 'cafe',
  requestId: 'req-7c1f',
  resourceType: 'VOLUME',
  resourceId: VOLUME.slice('volume:'.length),
  eventId: 'VOLUME_VOLUME_001_003',
  level: 'ERROR',
  text: 'No storage backend can take it.',
  createdAt: ago(1),
  expiresAt: ago(-3_600),
};

interface Case {
  readonly row?: Partial<FlowRow>;
  readonly steps?: readonly Step[];
  readonly holders?: readonly Holder[];
  readonly messages?: readonly Message[];
  readonly around?: Partial<WhyAround>;
  readonly status?: string | null;
}

function whyOf({ row = {}, steps = BEGUN, holders = [], messages = [], around = {}, status = 'creating' }: Case): Why {
  const flow = flowRow({ resource: VOLUME, lane: 'host:node1@east', ...row });
  const subject = { about: VOLUME, projectId: 'cafe', name: 'web-3', status, flows: [flow] };
  const told = { story: tellStory([makeVolume], flow, steps), holders, messages };
  return sixSentences(subject, told, { reader: 'operator', at: NOW, usualMs: null, host: undefined, ...around });
}

const HOST = { name: 'node1@east', seenAt: ago(840), failure: 'No such directory.' };
const GONE = { state: 'reverted', createdAt: ago(42), endedAt: ago(30), owner: null } as const;

const CASES: Readonly<Record<string, readonly [Why['state'], Case]>> = {
  'runs, and says how far it is': [
    'running',
    { row: { doing: { ...FETCHING, copying: COPYING } }, around: { usualMs: 65_000 } },
  ],
  'runs, and does not say': ['running', { around: { usualMs: 65_000 } }],
  'waits for its turn': [
    'waiting',
    { row: { doing: { ...FETCHING, waiting: { what: 'its turn', why: '2nd of 5', since: ago(40) } } } },
  ],
  'waits for a store': [
    'waiting',
    {
      row: { doing: { ...FETCHING, waiting: { what: 'backup store nas', why: 'ENOSPC on /mnt/nas', since: ago(90) } } },
    },
  ],
  'waits for other flows': [
    'waiting',
    {
      row: { lane: WAITING_LANE, owner: null, state: 'pending' },
      steps: [],
      holders: [0, 1, 2, 3, 4].map((each) => holder(each)),
    },
  ],
  'waits for a flow that is stuck': [
    'waiting',
    { row: { lane: WAITING_LANE, owner: null, state: 'pending' }, steps: [], holders: [holder(1, 'stuck')] },
  ],
  'waits for a server': ['waiting', { row: { owner: null }, around: { host: HOST } }],
  'is tried again': [
    'retrying',
    {
      row: {
        doing: {
          ...FETCHING,
          progress: null,
          waiting: { what: 'another try', why: failure({}).message, since: ago(3) },
        },
      },
      steps: [...BEGUN, RETRIED],
    },
  ],
  'is taken back': ['running', { row: { state: 'reverting' }, steps: FAILED }],
  'is stuck': [
    'stuck',
    {
      row: { state: 'stuck', owner: null },
      steps: STUCK,
    },
  ],
  'is stuck, and was ordered on': [
    'waiting',
    {
      row: { state: 'stuck', owner: null, wish: 'resume', wishReason: 'room (root)' },
      steps: STUCK,
    },
  ],
  'has failed': ['failed', { row: GONE, steps: FAILED, messages: [message], status: 'error' }],
  'has failed everywhere': ['failed', { row: GONE, steps: NOWHERE, messages: [message], status: 'error' }],
  'has ended well': ['done', { row: { state: 'success', createdAt: ago(42), endedAt: ago(30) }, status: 'available' }],
  'has ended, and what it was about is gone': [
    'done',
    { row: { state: 'success', createdAt: ago(42), endedAt: ago(30) }, status: null },
  ],
  'is not known': ['running', { row: { name: 'paint_volume', version: 7 }, steps: [step('paint', 'done')] }],
};

describe('why', () => {
  test('has six sentences for whatever state a flow is in', () => {
    const rest = atRest({ about: VOLUME, projectId: 'cafe', name: null, status: 'available', flows: [] });
    const all = [
      ...Object.entries(CASES).map(([what, [, each]]) => [what, whyOf(each)] as const),
      ['rests', rest] as const,
    ];
    const text = all.map(([what, told]) => {
      const out = captured(80);
      out.terminal.lines(whyLines(out.terminal, told));
      assert.ok(
        out.text.split('\n').every((line) => line.length <= 80),
        what,
      );
      return `${what}\n\n${out.text}`;
    });
    assertGolden('why.txt', text.join('\n'));
  });

  for (const [what, [state, each]] of Object.entries(CASES)) {
    test(`of a flow that ${what} says that it is ${state}, and tells an owner of no host`, () => {
      assert.equal(whyOf(each).state, state);
      const owner = whyOf({ ...each, around: { ...each.around, reader: 'owner' } });
      assert.equal(owner.state, state);
      assert.doesNotMatch(JSON.stringify(owner), /node1|ENOSPC|There is no room|No such directory|root/);
      assert.deepEqual(JSON.parse(JSON.stringify(owner)), owner);
    });
  }

  test('forgets the failure of a task that succeeded when it was tried again', () => {
    const steps = [...BEGUN, RETRIED, step('fill/fetch', 'done', { startedAt: ago(3), at: ago(1) })];
    assert.equal(whyOf({ steps: [...BEGUN, RETRIED] }).last_failure?.task, 'fill/fetch');
    assert.equal(whyOf({ steps }).last_failure, null);
  });

  test('knows when the next try is from the journal, and else when it is at the latest', () => {
    const waiting = (since: string) => ({
      doing: { ...FETCHING, waiting: { what: 'another try', why: 'x', since } },
    });
    // The fourth pause of those that double from 250 ms.
    assert.equal(whyOf({ row: waiting(ago(3)), steps: [...BEGUN, RETRIED] }).next.at, ago(1));
    assert.equal(whyOf({ row: waiting(ago(0)), steps: [...BEGUN, RETRIED] }).next.at, ago(-60));
  });
});
