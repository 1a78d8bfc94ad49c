import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { flowsTable } from '../../src/cli/flows-list.ts';
import { endedLine, flowLine, pictureLines } from '../../src/cli/flows-picture.ts';
import { storyLines } from '../../src/cli/flows-show.ts';
import type { Holder } from '../../src/db/journal-holds.ts';
import type { Message } from '../../src/db/messages.ts';
import { type FlowRow, WAITING_LANE } from '../../src/engine/journal.ts';
import type { Step } from '../../src/engine/step.ts';
import { tellStory } from '../../src/engine/story.ts';
import { storyFacts } from '../../src/why/flow-facts.ts';
import { assertGolden } from '../golden.ts';
import { captured } from './captured.ts';
import { ago, failure, flowRow, makeVolume, NOW, step } from './stories.ts';

const FULL = { failure: failure({}), interrupted: false };

/** Tried on one backend, given up there, made on another, and to be filled. */
const RESCHEDULED: readonly Step[] = [
  step('error_out', 'done', { at: ago(11) }),
  step('choose_pool', 'done', { data: { pool: 'node1@east#east' } }),
  step('lane-3', 'chosen', { data: 'host:node1@east' }),
  step('make_on_backend', 'failed', { startedAt: ago(9.25), at: ago(9), data: FULL }),
  step('make_on_backend', 'reverted', { startedAt: ago(9), at: ago(8.5) }),
  step('choose_pool', 'reverted'),
  step('elsewhere', 'rejected', { data: { attempt: 1, failure: failure({}), choice: 'node1@east#east' } }),
  step('choose_pool', 'done', { attempt: 2, data: { pool: 'node1@west#west' } }),
  step('lane-3', 'chosen', { attempt: 2, data: 'host:node1@west' }),
  step('make_on_backend', 'done', { attempt: 2, startedAt: ago(8), at: ago(7.5) }),
  step('from_image', 'chosen', { attempt: 2, data: true, at: ago(7) }),
];

const KEPT = 'e1b2c3d4-5b7e-7000-8d55-8f6f9d3c1a11';
const HOLDERS: readonly Holder[] = Array.from({ length: 7 }, (_, index) => ({
  resource: 'volume:1b6c2f3a-7d1e-4c52-8a43-0c2b7f1d9e01',
  flowId: `f1b2c3d4-5b7e-700${index}-8d55-8f6f9d3c1a11`,
  name: 'create_volume',
  state: index === 1 ? 'stuck' : 'running',
}));

const MESSAGE: Message = {
  id: '7b6c2f3a-7d1e-4c52-8a43-0c2b7f1d9e07',
  projectId: 'cafe',
  requestId: 'req-7c1f',
  resourceType: 'VOLUME',
  resourceId: '1b6c2f3a-7d1e-4c52-8a43-0c2b7f1d9e01',
  eventId: 'VOLUME_VOLUME_001_003',
  level: 'ERROR',
  text: 'No storage backend can take it.',
  createdAt: ago(1),
  expiresAt: ago(-3_600),
};

function shown(
  row: Partial<FlowRow>,
  steps: readonly Step[],
  columns?: number,
  holders: readonly Holder[] = [],
): string {
  const out = captured(columns);
  out.terminal.lines(storyLines(out.terminal, tellStory([makeVolume], flowRow(row), steps), holders, NOW));
  return out.text;
}

describe('a story for an owner', () => {
  test('is the same without hosts, processes and reasons as they came', () => {
    const waiting = { what: 'its turn', why: 'behind 10.0.0.7', since: ago(40) };
    const row = flowRow({ lane: 'host:node1@west', wish: 'cancel', wishReason: 'asked by root', doing: null });
    const doing = { node: 'fill/fetch', since: ago(60), progress: null, waiting };
    const story = tellStory([makeVolume], { ...row, doing }, RESCHEDULED);
    const facts = storyFacts(story, [], [MESSAGE], 'owner');
    assert.doesNotMatch(JSON.stringify(facts), /node1|p1|root|10\.0\.0\.7|room on/);
    const keys = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(keys)
        : typeof value === 'object' && value !== null
          ? Object.keys(value).map((key) => key)
          : null;
    const whole = storyFacts(story, [], [MESSAGE]);
    assert.deepEqual([keys(facts), keys(facts.steps)], [keys(whole), keys(whole.steps)]);
  });
});

describe('the table of flows', () => {
  const flows = [
    flowRow({ doing: { node: 'fill/fetch', since: ago(7), progress: 0.456 } }),
    flowRow({ id: '3f2a91c0-6b7e-7001-8d55-8f6f9d3c1a11', state: 'pending', owner: null, createdAt: ago(3) }),
    flowRow({
      id: 'a1b2c3d4-5b7e-7000-8d55-8f6f9d3c1a11',
      name: 'delete_volume',
      state: 'stuck',
      owner: null,
      createdAt: ago(4_000),
    }),
    flowRow({
      id: 'b1b2c3d4-5b7e-7000-8d55-8f6f9d3c1a11',
      state: 'running',
      wish: 'cancel',
      wishReason: 'not wanted\u001B[31m',
      createdAt: ago(60),
    }),
    flowRow({
      id: 'c1b2c3d4-5b7e-7000-8d55-8f6f9d3c1a11',
      name: 'manage_existing_snapshot',
      state: 'success',
      createdAt: ago(90_000),
      endedAt: ago(89_999.5),
    }),
    flowRow({ id: 'd1b2c3d4-5b7e-7000-8d55-8f6f9d3c1a11', state: 'reverted', createdAt: ago(500), endedAt: ago(20) }),
    flowRow({ id: KEPT, name: 'delete_volume', lane: WAITING_LANE, state: 'pending', owner: null }),
  ];

  for (const [columns, name] of [
    [undefined, 'flows.txt'],
    [100, 'flows-100.txt'],
    [80, 'flows-80.txt'],
    [60, 'flows-60.txt'],
  ] as const) {
    test(`is what it was: ${name}`, () => {
      const out = captured(columns);
      out.terminal.lines(flowsTable(out.terminal, flows, new Map([[KEPT, HOLDERS.slice(0, 2)]]), NOW));
      assertGolden(name, out.text);
    });
  }
});

/** It began a minute ago. */
const COPYING = { bytes: 540 * 1024 ** 2, of: 2160 * 1024 ** 2, from: 0, since: ago(60), at: NOW };

const WAITING = { what: 'its turn', why: '2nd of 5', since: ago(40) };

describe('the picture of flows in flight', () => {
  const flows = [
    flowRow({ id: KEPT, name: 'delete_volume', lane: WAITING_LANE, state: 'pending', owner: null, createdAt: ago(90) }),
    flowRow({ state: 'stuck', owner: null, createdAt: ago(4_000) }),
    flowRow({ state: 'reverting', doing: { node: 'make_on_backend', since: ago(2), progress: null } }),
    flowRow({ wish: 'cancel', wishReason: 'not wanted\u001B[31m', doing: { node: 'x', since: ago(2), progress: 0.2 } }),
    flowRow({ doing: { node: 'fill/fetch', since: ago(60), progress: 0.25, copying: COPYING } }),
    flowRow({ doing: { node: 'fill/fetch', since: ago(60), progress: 0.25, waiting: WAITING } }),
    // Nobody works at it: how long it takes is not known.
    flowRow({ owner: null, doing: { node: 'fill/copy', since: ago(60), progress: 0.25 } }),
  ];
  const holders = new Map([[KEPT, HOLDERS.slice(0, 2)]]);
  const drawn = (columns: number, rows: number, more = false, trouble?: string): string => {
    const out = captured(columns, rows);
    out.terminal.lines(pictureLines(out.terminal, { flows, holders, more }, trouble, NOW));
    return out.text;
  };

  for (const columns of [120, 80])
    test(`is what it was: picture-${columns}.txt`, () => assertGolden(`picture-${columns}.txt`, drawn(columns, 24)));

  test('is never higher than its terminal, and says what is left out', () => {
    for (const columns of [120, 40])
      for (let rows = 5; rows < 16; rows += 1) {
        const text = drawn(columns, rows, true, 'The database does not answer.');
        assert.ok(text.split('\n').length - 1 < rows, `${columns} columns, ${rows} rows:\n${text}`);
      }
    assert.match(drawn(120, 8), /^12:00:00 UTC {2}q ends this, and no flow\. {2}The newest 3 of 7\.$/m);
    assert.match(drawn(120, 24, true), /The newest 7 of 7 and more\.$/m);
    assert.match(drawn(120, 24, false, 'The database is away.'), /\nThe database is away\.\n$/);
  });

  test('is a line a change where nothing can be drawn again', () => {
    const line = (given: Partial<FlowRow>): string => flowLine(flowRow(given), []);
    const at = (progress: number) => line({ doing: { node: 'fill', since: ago(60), progress } });
    assert.match(at(0.31), /^make_volume 3f2a91c0-5b7e-4f0e on volume:1b6c\S+ running: fill 30 %$/);
    assert.equal(at(0.31), at(0.39));
    assert.notEqual(at(0.39), at(0.4));
    assert.match(line({ state: 'stuck', owner: null }), / stuck: waits$/);
    const waits = { node: 'fill', since: ago(60), progress: 0.31, waiting: WAITING };
    assert.match(line({ doing: waits }), / running: waits at 30 % for its turn: 2nd of 5$/);
    assert.match(line({ doing: { ...waits, progress: null } }), / running: waits for its turn: 2nd of 5$/);
    const ended = endedLine(captured().terminal, flowRow({ state: 'reverted', endedAt: NOW }));
    assert.match(ended, /^make_volume 3f2a91c0-5b7e-4f0e on volume:1b6c\S+ reverted in 12 s$/);
  });
});

describe('the story of a flow', () => {
  test('of one that was tried elsewhere tells where, why, and what comes next', () => {
    const doing = { node: 'fill/fetch', since: ago(7), progress: 0.456 };
    assertGolden('story-rescheduled.txt', shown({ doing, lane: 'host:node1@west' }, RESCHEDULED));
  });

  test('says how long the rest may take only while somebody works at it', () => {
    const doing = { node: 'fill/fetch', since: ago(60), progress: 0.25 };
    const of = (owner: string | null): string => shown({ doing, owner, lane: 'host:node1@west' }, RESCHEDULED);
    assert.match(of('p1'), / ▸ fill\/fetch {2}for 1 min {2}25 % {2}about 3 min left\n/);
    assert.match(of(null), / ▸ fill\/fetch {2}for 1 min {2}25 %\n/);
  });

  test('says how much is copied, and how fast', () => {
    const doing = { node: 'fill/fetch', since: ago(60), progress: 0.25, copying: COPYING };
    const text = shown({ doing, lane: 'host:node1@west' }, RESCHEDULED);
    assert.match(text, / about 3 min left\n {6}540 MiB of 2\.1 GiB, 9 MiB\/s\n/);
  });

  test('says what it waits for, and not how long the rest may take', () => {
    const doing = { node: 'fill/fetch', since: ago(60), progress: 0.25, waiting: WAITING };
    const text = shown({ doing, lane: 'host:node1@west' }, RESCHEDULED);
    assert.match(text, / 25 %\n {6}It has waited for its turn since 11:59:20 UTC, for 40 s: 2nd of 5\n/);
    const steps = tellStory([makeVolume], flowRow({ doing }), RESCHEDULED);
    assert.deepEqual((storyFacts(steps, [], []).now as { readonly waiting: unknown }).waiting, WAITING);
  });

  test('fits a narrow terminal', () => {
    assertGolden('story-rescheduled-50.txt', shown({ lane: 'host:node1@west' }, RESCHEDULED, 50));
  });

  test('of one that has ended says how, and nothing of what comes', () => {
    const steps = [
      ...RESCHEDULED,
      step('fill/fetch', 'retried', {
        attempt: 2,
        at: ago(6),
        data: { failure: failure({ name: 'ImageServiceUnavailable', message: 'Nobody answers.' }), tries: 1 },
      }),
      step('fill/fetch', 'done', { attempt: 2, startedAt: ago(7), at: ago(5.8), data: { path: '/x' } }),
      step('fill/copy', 'done', { attempt: 2, startedAt: ago(5.8), at: ago(5.5) }),
      step('finish;create.end', 'done', { attempt: 2, at: ago(5.4) }),
    ];
    assertGolden('story-ended.txt', shown({ state: 'success', owner: null, endedAt: ago(5.4) }, steps));
  });

  test('of a stuck one says what failed and what to type', () => {
    const revert = failure({
      name: 'DriverNotInitialized',
      message: 'node1@east cannot be used: its directory is gone.',
    });
    const steps = [
      ...RESCHEDULED.slice(0, 4),
      step('make_on_backend', 'revert_failed', {
        startedAt: ago(9),
        at: ago(2),
        data: { failure: revert, interrupted: false },
      }),
    ];
    assertGolden('story-stuck.txt', shown({ state: 'stuck', owner: null }, steps));
  });

  test('of one whose processes died says how many', () => {
    const steps = [step('error_out', 'done'), step('choose_pool', 'done', { data: { pool: 'node1@east#east' } })];
    assert.match(
      shown({ claims: 3 }, steps),
      /▸ lane-3 {2}for 8 s\n +3 of its processes have died while it stood here\.\n/,
    );
    assert.doesNotMatch(shown({ claims: 1 }, steps), /died/);
  });

  test('of one that nobody runs says for whom it waits', () => {
    assertGolden(
      'story-waiting.txt',
      shown({ owner: null, wish: 'cancel', wishReason: 'asked' }, RESCHEDULED.slice(0, 3)),
    );
  });

  test('of one that others keep waiting names the first of them', () => {
    const row = { lane: WAITING_LANE, state: 'pending', owner: null } as const;
    assertGolden('story-kept.txt', shown(row, [], undefined, HOLDERS));
    assert.match(shown(row, []), /Nothing keeps it any more/);
  });

  test('of one that this version does not know says so', () => {
    assertGolden('story-unknown.txt', shown({ name: 'paint_volume', version: 7 }, [step('paint', 'done')]));
  });

  test('is complete for programs', () => {
    const facts = storyFacts(
      tellStory([makeVolume], flowRow({ lane: 'host:node1@west' }), RESCHEDULED),
      HOLDERS.slice(0, 1),
      [MESSAGE],
    );
    assert.deepEqual(JSON.parse(JSON.stringify(facts)), facts);
    assertGolden('story-rescheduled.json', `${JSON.stringify(facts, null, 2)}\n`);
  });
});
