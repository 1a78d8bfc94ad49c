/** The line of a flow's tasks, without a browser: what is on it, and where. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { progressOf, reasonOf, resourcePlace, type Story, type StoryStep, standingOf } from '../../page/story.ts';
import { type Line, linesOf, scaleOf } from '../../page/time-line.ts';
import { duration } from '../../page/times.ts';

const at = (second: number): string => new Date(Date.UTC(2026, 0, 31, 12, 0, second)).toISOString().slice(0, -1);
const ms = (second: number): number => Date.UTC(2026, 0, 31, 12, 0, second);

const step = (
  node: string,
  event: StoryStep['event'],
  second: number,
  took: number | null,
  message?: string,
): StoryStep => ({
  node,
  event,
  attempt: 1,
  started_at: null,
  at: at(second),
  ms: took,
  failure: message === undefined ? null : { name: 'Failed', message },
});

const story = (given: Partial<Story> = {}): Story => ({
  id: 'f',
  name: 'create_volume',
  state: 'running',
  resource: 'volume:v',
  project_id: 'p',
  request_id: null,
  lane: null,
  wish: null,
  wish_reason: null,
  doing: null,
  kept_by: [],
  created_at: at(0),
  ended_at: null,
  steps: [],
  now: null,
  next: [],
  messages: [],
  ...given,
});

const now = (given: Partial<NonNullable<Story['now']>> = {}): NonNullable<Story['now']> => ({
  node: 'content',
  reverting: false,
  since: at(5),
  progress: 0.5,
  copying: null,
  waiting: null,
  waits_for: null,
  ...given,
});

describe('the lines of a flow', () => {
  it('are what took time, what failed, what runs and what is to come', () => {
    const steps = [
      step('quota', 'done', 1, null),
      step('cache', 'chosen', 1, null),
      step('storage', 'failed', 3, 2_000, 'no room'),
      step('storage', 'reverted', 4, 1_000),
      step('attempt', 'rejected', 4, null, 'no room'),
    ];
    const lines = linesOf(story({ steps, now: now(), next: [{ node: 'ready', maybe: false }] }), ms(9));
    assert.deepEqual(
      lines.map(({ node, mark, from, to }) => [node, mark, from, to]),
      [
        ['storage', 'failed', ms(1), ms(3)],
        ['storage', 'undone', ms(3), ms(4)],
        ['attempt 1', 'over', ms(4), ms(4)],
        ['content', 'now', ms(5), ms(9)],
        ['ready', 'next', null, null],
      ],
    );
    assert.deepEqual([lines[0]?.failure, lines[2]?.failure], ['no room', null]);
    assert.equal(lines[3]?.progress, 0.5);
  });

  it('say of one that is stuck that it waits, and not that it is being undone', () => {
    const [stuck] = linesOf(story({ now: now({ reverting: true, waits_for: 'an operator' }) }), ms(9));
    assert.deepEqual([stuck?.mark, stuck?.word], ['stuck', 'waits to be resumed']);
    const [going] = linesOf(story({ now: now({ reverting: true }) }), ms(9));
    assert.deepEqual([going?.mark, going?.word], ['now', 'being undone']);
  });

  it('of a reader whose clock is behind go on from where they began', () => {
    const [line] = linesOf(story({ now: now() }), ms(0));
    assert.deepEqual([line?.from, line?.to], [ms(5), ms(5)]);
  });
});

const line = (from: number, to: number): Line => ({
  node: 'n',
  mark: 'done',
  word: '',
  from,
  to,
  failure: null,
  progress: null,
});

describe('the scale of a line', () => {
  it('is true to time where there is no pause, and gives a long pause little', () => {
    const even = scaleOf([line(0, 100), line(100, 400)]);
    assert.deepEqual([0, 100, 250, 400].map(even), [0, 0.25, 0.625, 1]);
    const night = scaleOf([line(0, 100), line(30_000_000, 30_000_100)]);
    const [begin = 0, end = 0] = [100, 30_000_000].map(night);
    assert.ok(begin > 0.4 && end > begin && end - begin < 0.1, `${begin} ${end}`);
  });

  it('goes from 0 to 1 and never back, whatever happened when', () => {
    const span = fc.tuple(fc.nat(1_000_000), fc.nat(1_000_000)).map(([from, took]) => line(from, from + took));
    fc.assert(
      fc.property(fc.array(span, { minLength: 1 }), (lines) => {
        const scale = scaleOf(lines);
        const times = lines.flatMap(({ from, to }) => [from ?? 0, to ?? 0]).sort((a, b) => a - b);
        const shown = times.map(scale);
        assert.ok(shown.every((each, index) => each >= (shown[index - 1] ?? 0) && each <= 1 && each >= 0));
        assert.equal(shown[0], 0);
      }),
    );
  });

  it('of what has not begun is no scale', () => {
    assert.equal(scaleOf([{ ...line(0, 0), from: null, to: null }])(5), 0);
  });
});

describe('what a flow means', () => {
  it('is one sentence, by its state and what it waits for', () => {
    for (const [given, words] of [
      [{ state: 'success', ended_at: at(3) }, /It took 3\.00 s/],
      [{ state: 'reverted', ended_at: at(3) }, /undone.*tried again/],
      [{ state: 'stuck', now: now({ waits_for: 'an operator' }) }, /operator/],
      [
        { now: now({ waits_for: 'other flows' }), kept_by: [{ resource: 'r', flow_id: 'g', name: 'extend_volume' }] },
        /waits for extend volume/,
      ],
      [{ now: now({ waits_for: 'a process' }) }, /its host is back/],
      [{ now: now({ waiting: { what: 'a turn to copy', since: at(1), why: null } }) }, /It waits: a turn to copy\./],
      [{ now: now() }, /It is at content/],
    ] as const)
      assert.match(standingOf(story(given as Partial<Story>)), words);
  });

  it('has the words that users were told before those of a task', () => {
    const steps = [step('storage', 'failed', 1, 1, 'ENOSPC'), step('storage', 'reverted', 2, 1)];
    assert.equal(reasonOf(story({ steps })), 'ENOSPC');
    assert.equal(
      reasonOf(story({ steps, messages: [{ id: 'm', user_message: 'There is no room.' }] })),
      'There is no room.',
    );
    assert.equal(reasonOf(story()), undefined);
  });

  it('is how far it is by its own word, else by what is copied', () => {
    const doing = { progress: null, copying: { bytes: 1, of: 4 } };
    assert.deepEqual([progressOf(doing), progressOf({ ...doing, progress: 0.5 }), progressOf(null)], [0.25, 0.5, null]);
    assert.equal(progressOf({ progress: null, copying: { bytes: 1, of: null } }), null);
  });

  it('leads to its resource, where that has a page', () => {
    assert.deepEqual(resourcePlace('volume:v'), { view: 'volumes', id: 'v' });
    assert.deepEqual(resourcePlace('group_snapshot:g'), { view: 'group_snapshots', id: 'g' });
    assert.deepEqual(resourcePlace('backup_schedule:s'), { view: undefined, id: 's' });
  });
});

it('durations are said in the unit that fits', () => {
  const said = [0, 12, 1_240, 45_000, 200_000, 7_500_000, 273_600_000].map(duration);
  assert.deepEqual(said, ['<1 ms', '12 ms', '1.24 s', '45.0 s', '3 min 20 s', '2 h 5 min', '3 d 4 h']);
});
