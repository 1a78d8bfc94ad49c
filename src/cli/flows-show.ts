/** `pumice flows show ID`: what a flow did, does, waits for and will do; why it failed, and where it was tried. */
import { openDatabase } from '../db/database.ts';
import type { Holder } from '../db/journal-holds.ts';
import { WAITING_LANE, type Waiting } from '../engine/journal.ts';
import type { Story, ToldStep } from '../engine/story.ts';
import { now, type Timestamp } from '../lib/clock.ts';
import { age, between, clockTime, duration } from '../lib/times.ts';
import { storyFacts } from '../why/flow-facts.ts';
import { bar, copiedText, percent, timeLeft } from '../why/progress.ts';
import { readStory } from '../why/read-story.ts';
import { shortId } from '../why/short-id.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { findFlow } from './find-flow.ts';
import { STYLES } from './flows-list.ts';
import { cut, printable, type Style, type Terminal, widthOf, wrap } from './terminal.ts';

export interface ShowOptions extends ConfigFlags {
  readonly json?: boolean;
}

export async function showFlow(id: string, options: ShowOptions, { out }: CliContext): Promise<number> {
  const db = await openDatabase(configurationOf(options).database.url, { as: 'tool' });
  try {
    const flow = await findFlow(db, id);
    const { story, holders, messages } = await readStory(db, flow);
    if (options.json) out.line(JSON.stringify(storyFacts(story, holders, messages), null, 2));
    else out.lines(storyLines(out, story, holders, now()));
    return EXIT.ok;
  } finally {
    await db.close();
  }
}

const TASK_WIDTH = 48;
/** Before a name. */
const INDENT = 4;
/** Mark, time and note. */
const BESIDE = 36;
const TEXT_WIDTH = 100;

export function storyLines(terminal: Terminal, story: Story, holders: readonly Holder[], at: Timestamp): string[] {
  return [
    ...head(terminal, story, at),
    '',
    ...story.steps.flatMap((step) => stepLines(terminal, step)),
    ...standing(terminal, story, holders, at),
  ];
}

function head(terminal: Terminal, { flow }: Story, at: Timestamp): string[] {
  const state = terminal.paint(STYLES[flow.state], flow.state);
  const took = flow.endedAt === null ? `for ${age(flow.createdAt, at)}` : `in ${between(flow.createdAt, flow.endedAt)}`;
  const facts: readonly (readonly [string, string])[] = [
    ['flow', flow.id],
    ['on', flow.resource],
    ['project', flow.projectId],
    ['request', flow.requestId],
    ['begun', `${clockTime(flow.createdAt)} UTC`],
    ...(flow.endedAt === null && flow.lane !== WAITING_LANE ? ([['runs in', flow.lane]] as const) : []),
    ...(flow.wish === null ? [] : ([['wished', `${flow.wish} (${flow.wishReason})`]] as const)),
  ];
  return [
    `${terminal.paint('bold', flow.name)}  ${state} ${took}`,
    ...facts.map(([name, value]) => `  ${terminal.paint('dim', name.padEnd(8))} ${printable(value)}`),
  ];
}

/** Mark, style and word of what happened. */
const EVENTS: Readonly<Record<ToldStep['event'], readonly [mark: string, style: Style, word: string]>> = {
  done: ['✓', 'green', ''],
  failed: ['✗', 'red', 'failed'],
  cancelled: ['✗', 'yellow', 'stopped here'],
  chosen: ['·', 'dim', ''],
  reverted: ['↶', 'yellow', 'reverted'],
  revert_failed: ['!', ['red', 'bold'], 'revert failed'],
  abandoned: ['!', 'yellow', 'given up by an operator'],
  rejected: ['↻', 'yellow', ''],
  retried: ['…', 'yellow', 'failed, tried again'],
  interrupted: ['…', 'yellow', 'its process died or stopped here'],
};

function stepLines(terminal: Terminal, step: ToldStep): string[] {
  const record = step.event === 'done' && step.ms === null;
  const [mark, style, word] = EVENTS[record ? 'chosen' : step.event];
  const took = (step.ms === null ? '' : duration(step.ms)).padStart(9);
  const note = printable(word || noteOf(step));
  const isAlone = step.ms === null && note === '';
  const name = cut(printable(nameOf(step)), isAlone ? terminal.width - INDENT : TASK_WIDTH);
  const room = Math.max(widthOf(name), Math.min(TASK_WIDTH, terminal.width - BESIDE));
  const line = `  ${terminal.paint(style, mark)} ${name.padEnd(room)}${took}  ${terminal.paint(style, note)}`;
  if (step.event === 'rejected')
    return [line.trimEnd(), ...indented(terminal, 'all it made was undone; another is tried')];
  const why = step.failure === null ? [] : indented(terminal, `${step.failure.name}: ${step.failure.message}`);
  return [line.trimEnd(), ...why];
}

function nameOf({ event, node, attempt, choice }: ToldStep): string {
  if (event === 'rejected') return `attempt ${attempt}${typeof choice === 'string' ? ` on ${choice}` : ''} is over`;
  return event === 'chosen' && node.startsWith('lane-') ? 'lane' : node;
}

/** What was chosen, or where something was put. */
function noteOf({ event, choice, result }: ToldStep): string {
  if (event === 'chosen') return choice === true ? 'yes' : choice === false ? 'no' : String(choice);
  const pool = typeof result === 'object' && result !== null && 'pool' in result ? result.pool : undefined;
  return typeof pool === 'string' ? `→ ${pool}` : '';
}

function indented(terminal: Terminal, text: string): string[] {
  const width = Math.min(TEXT_WIDTH, terminal.width) - 6;
  return wrap(printable(text), width).map((line) => `      ${terminal.paint('dim', line)}`);
}

/** Where it stands, why it does not go on, and what comes next; nothing of one that has ended. */
export function standing(
  terminal: Terminal,
  { flow, now, next }: Story,
  holders: readonly Holder[],
  at: Timestamp,
): string[] {
  if (flow.endedAt !== null) return [];
  if (now === null) return ['', `  This version of Pumice does not know ${flow.name}@${flow.version}.`];
  const task = now.reverting ? `revert of ${now.node}` : now.node;
  const what = now.waitsFor === 'other flows' ? 'waits' : task;
  const progress = now.progress === null ? '' : `  ${terminal.isLive ? bar(now.progress, 20) : percent(now.progress)}`;
  const left = now.waitsFor === null && now.waiting === null ? timeLeft(now, at) : null;
  const rest = left === null ? '' : `  about ${left} left`;
  const lines = [
    `  ${terminal.paint('cyan', '▸')} ${terminal.paint('bold', what)}  for ${age(now.since, at)}${progress}${rest}`,
  ];
  if (now.copying !== null) lines.push(...indented(terminal, copiedText(now.copying)));
  if (now.waiting !== null) lines.push(...indented(terminal, waitText(now.waiting, at)));
  if (flow.claims > 1)
    lines.push(...indented(terminal, `${flow.claims} of its processes have died while it stood here.`));
  if (now.waitsFor === 'a process')
    lines.push(...indented(terminal, `Nobody runs it: it waits for ${whoseLane(flow.lane)}.`));
  if (now.waitsFor === 'other flows') lines.push(...holderLines(terminal, holders));
  if (now.waitsFor === 'an operator')
    lines.push(
      ...indented(
        terminal,
        `It is stuck. \`pumice flows resume ${shortId(flow.id)}\` tries again; \`abandon\` gives this one revert up.`,
      ),
    );
  const names = next.map(({ node, maybe }) => (maybe ? `(${node})` : node));
  if (names.length > 0) lines.push('', ...indented(terminal, `next: ${names.join(', ')}`));
  return lines;
}

const waitText = ({ what, why, since }: Waiting, at: Timestamp): string =>
  `It has waited for ${what} since ${clockTime(since).slice(11, 19)} UTC, for ${age(since, at)}: ${why}`;

/** So many are named. */
const NAMED = 5;

function holderLines(terminal: Terminal, holders: readonly Holder[]): string[] {
  if (holders.length === 0) return indented(terminal, 'Nothing keeps it any more: it waits for a server.');
  const lines = holders
    .slice(0, NAMED)
    .map(({ resource, flowId, name, state }) => `${name} ${shortId(flowId)} (${state}) uses ${resource}`);
  const more = holders.length > NAMED ? [`There are ${holders.length - NAMED} more.`] : [];
  return ['It waits for what uses the same:', ...lines, ...more].flatMap((line) => indented(terminal, line));
}

const whoseLane = (lane: string): string =>
  lane.startsWith('host:') ? `a server that serves ${lane.slice('host:'.length)}` : 'a server';
