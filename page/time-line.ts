/**
 * The line of a flow's tasks over time: which of them are shown, from when to when, and where that is on a scale.
 *
 * What only wrote to the database took no time of its own and is left out, unless it failed. The scale is true to time but for pauses in which
 * nothing ran: a task of seconds would not be seen beside a night's wait for another try, so each pause has a small part at most.
 */
import type { Story, StoryStep } from './story.ts';
import { millisOf } from './times.ts';

export type LineMark = 'done' | 'failed' | 'undone' | 'stuck' | 'over' | 'now' | 'next';

export interface Line {
  readonly node: string;
  readonly mark: LineMark;
  /** What happened, beside the plain ending of a task. */
  readonly word: string;
  /** Milliseconds since 1970; null of what has not begun. */
  readonly from: number | null;
  readonly to: number | null;
  readonly failure: string | null;
  /** 0…1 */
  readonly progress: number | null;
}

const EVENTS: Readonly<Record<StoryStep['event'], readonly [LineMark, string] | null>> = {
  done: ['done', ''],
  failed: ['failed', 'failed'],
  cancelled: ['failed', 'stopped here'],
  chosen: null,
  reverted: ['undone', 'undone'],
  revert_failed: ['stuck', 'could not be undone'],
  abandoned: ['over', 'given up'],
  rejected: ['over', 'all it made was undone; another is tried'],
  retried: ['failed', 'failed, tried again'],
  interrupted: ['over', 'its server died or stopped here; another went on'],
};

export function linesOf(story: Story, nowMs: number): readonly Line[] {
  const past = story.steps.flatMap((step) => lineOf(step) ?? []);
  const { now, next } = story;
  const isStuck = now?.waits_for === 'an operator';
  const current: Line[] =
    now === null
      ? []
      : [
          {
            node: now.node,
            mark: isStuck ? 'stuck' : 'now',
            word: isStuck ? 'waits to be resumed' : now.reverting ? 'being undone' : '',
            from: millisOf(now.since),
            to: Math.max(nowMs, millisOf(now.since)),
            failure: null,
            progress: now.progress,
          },
        ];
  const coming = next.map(
    ({ node, maybe }): Line => ({
      node,
      mark: 'next',
      word: maybe ? 'perhaps' : 'to come',
      from: null,
      to: null,
      failure: null,
      progress: null,
    }),
  );
  return [...past, ...current, ...coming];
}

function lineOf(step: StoryStep): Line | undefined {
  const { node, event, attempt, at, ms, failure, reason } = step;
  const told = EVENTS[event];
  if (told === null || (ms === null && (event === 'done' || event === 'reverted'))) return undefined;
  const [mark, word] = told;
  const to = millisOf(at);
  return {
    node: event === 'rejected' ? `attempt ${attempt}` : node,
    mark,
    word: reason ? `${word}: ${reason}` : word,
    from: to - (ms ?? 0),
    to,
    // Of an attempt that is over it was told already.
    failure: event === 'rejected' ? null : (failure?.message ?? null),
    progress: null,
  };
}

/** Most of the whole that a pause may take. */
const PAUSE = 0.06;

/** From a time to 0…1. */
export function scaleOf(lines: readonly Line[]): (ms: number) => number {
  const busy = merged(lines);
  const length = busy.reduce((sum, { from, to }) => sum + to - from, 0);
  const most = Math.max(length * PAUSE, 1);
  // Where each stretch begins, measured without what is cut out of pauses.
  let end = 0;
  const begins = busy.map(({ from, to }, index) => {
    const before = busy[index - 1];
    const begin = before === undefined ? 0 : end + Math.min(from - before.to, most);
    end = begin + to - from;
    return begin;
  });
  const whole = Math.max(end, 1);
  return (ms) => {
    const index = busy.findLastIndex(({ from }) => from <= ms);
    const stretch = busy[index];
    if (stretch === undefined) return 0;
    return Math.min(1, ((begins[index] ?? 0) + Math.min(ms, stretch.to) - stretch.from) / whole);
  };
}

interface Stretch {
  readonly from: number;
  to: number;
}

function merged(lines: readonly Line[]): readonly Stretch[] {
  const spans = lines.flatMap(({ from, to }) => (from === null || to === null ? [] : [{ from, to }]));
  const stretches: Stretch[] = [];
  for (const { from, to } of spans.sort((a, b) => a.from - b.from)) {
    const last = stretches.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else stretches.push({ from, to });
  }
  return stretches;
}
