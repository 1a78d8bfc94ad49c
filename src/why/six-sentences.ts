/** The six sentences of *why*, made of a story and what was read beside it. Nothing is asked here, so each is the same for the same facts. */
import type { Holder } from '../db/journal-holds.ts';
import { ANOTHER_TRY, type FlowRow } from '../engine/journal.ts';
import type { Story, ToldStep } from '../engine/story.ts';
import { millis, type Timestamp } from '../lib/clock.ts';
import { age, between, clockTime, duration } from '../lib/times.ts';
import { adviceFor } from './advice.ts';
import type { Reader } from './flow-facts.ts';
import { copiedText, percent, rateOf, timeLeft } from './progress.ts';
import type { FlowStory } from './read-story.ts';
import { retryAt } from './retry-at.ts';
import { shortId } from './short-id.ts';
import type { Subject } from './subject.ts';
import type { Why, WhyState } from './why.ts';

export interface WhyAround {
  readonly reader: Reader;
  readonly at: Timestamp;
  /** Of the task that it is at. */
  readonly usualMs: number | null;
  /** Of a flow that nobody runs: where it is to run. */
  readonly host:
    | { readonly name: string; readonly seenAt: Timestamp | null; readonly failure: string | null }
    | undefined;
}

type Now = NonNullable<Story['now']>;

/** Nothing is at work on it, and nothing that was is remembered. */
export function atRest({ about, name, status }: Subject): Why {
  return {
    about,
    name,
    status,
    state: 'rest',
    flow: null,
    others: [],
    what: { ...NO_TASK, text: `Nothing works on ${about}${status === null ? '' : `, which is ${status}`}.` },
    since: null,
    how_far: null,
    waits_for: null,
    last_failure: null,
    next: { text: 'Nothing comes by itself.', by_itself: false, at: null, command: null },
  };
}

export function sixSentences(subject: Subject, told: FlowStory, around: WhyAround): Why {
  const { about, name, status, flows } = subject;
  const { flow, now } = told.story;
  return {
    about,
    name,
    status,
    state: stateOf(told.story),
    flow: flowOf(flow),
    others: flows.slice(1).map(({ id }) => id),
    what: whatOf(subject, told.story, around.at),
    since: sinceOf(told.story, around.at),
    how_far: now === null ? tookOf(flow) : howFarOf(now, around),
    waits_for: now === null ? null : waitsForOf(told, now, around),
    last_failure: failureOf(told, around),
    next: nextOf(told, around),
  };
}

function stateOf({ flow, now }: Story): WhyState {
  if (flow.state === 'success') return 'done';
  if (flow.state === 'reverted') return 'failed';
  if (flow.state === 'stuck' && flow.wish === null) return 'stuck';
  if (now?.waiting?.what === ANOTHER_TRY) return 'retrying';
  return now !== null && (now.waitsFor !== null || now.waiting !== null) ? 'waiting' : 'running';
}

const flowOf = ({ id, name, state, resource }: FlowRow) => ({ id, name, state, resource });
const called = ({ id, name }: Pick<FlowRow, 'id' | 'name'>): string => `${name} ${shortId(id)}`;

const NO_TASK = { task: null, reverting: false, task_number: null, tasks: null } as const;

function whatOf({ about, status }: Subject, { flow, steps, now, next }: Story, at: Timestamp): Why['what'] {
  const on = about === `flow:${flow.id}` || about === flow.resource ? '' : ` on ${flow.resource}`;
  if (flow.endedAt !== null) {
    const last = `${called(flow)}${on} ended ${age(flow.endedAt, at)} ago: ${flow.state === 'success' ? 'done' : 'it failed, and was taken back'}.`;
    const thing =
      about === flow.resource
        ? `Nothing works on ${about}, which ${status === null ? 'is gone' : `is ${status}`}. `
        : '';
    return { ...NO_TASK, text: `${thing}${last}` };
  }
  if (now === null)
    return { ...NO_TASK, text: `${called(flow)}${on} is ${flow.state}; this version of Pumice does not know it.` };
  if (now.waitsFor === 'other flows') return { ...NO_TASK, text: `${called(flow)}${on} waits to begin.` };
  const number = behind(steps, now.reverting) + 1;
  const tasks = number + next.filter(({ maybe }) => !maybe).length;
  const does = now.reverting ? `is being taken back: revert of ${now.node}` : `is at task ${now.node}`;
  return {
    task: now.node,
    reverting: now.reverting,
    task_number: number,
    tasks,
    text: `${called(flow)}${on} ${does}, ${number} of ${tasks}.`,
  };
}

/** Tasks that are done and stand, or reverts that have run since the way back began. */
function behind(steps: readonly ToldStep[], reverting: boolean): number {
  const done = new Set<string>();
  let reverts = 0;
  for (const { event, node } of steps) {
    if (event === 'done') done.add(node);
    else if (event === 'reverted' || event === 'abandoned') {
      done.delete(node);
      reverts += 1;
    } else if (event === 'rejected') reverts = 0;
  }
  return reverting ? reverts : done.size;
}

function sinceOf({ flow, now }: Story, at: Timestamp): Why['since'] {
  const begun = { flow_begun_at: flow.createdAt };
  if (flow.endedAt !== null) return { ...begun, at: flow.endedAt, text: `It ended at ${clock(flow.endedAt)}.` };
  const since = now?.since ?? flow.createdAt;
  const whole = `the whole began ${age(flow.createdAt, at)} ago`;
  return { ...begun, at: since, text: `Since ${clock(since)}, for ${age(since, at)}; ${whole}.` };
}

const clock = (at: Timestamp): string => `${clockTime(at).slice(0, 19)} UTC`;

const spent = (from: Timestamp, to: Timestamp): number => Math.max(0, Math.round(millis(to) - millis(from)));
const NOTHING_COPIED = { progress: null, bytes: null, of_bytes: null, rate: null } as const;

function tookOf({ createdAt, endedAt }: FlowRow): Why['how_far'] {
  if (endedAt === null) return null;
  const text = `It took ${between(createdAt, endedAt)}.`;
  return { ...NOTHING_COPIED, usual_ms: null, spent_ms: spent(createdAt, endedAt), text };
}

function howFarOf(now: Now, { at, usualMs }: WhyAround): Why['how_far'] {
  if (now.waitsFor !== null) return null;
  const { progress, copying, since, waiting } = now;
  const left = waiting === null ? timeLeft(now, at) : null;
  const parts = [
    ...(progress === null ? ['The task does not say how far it is'] : [percent(progress)]),
    ...(copying === null ? [] : [copiedText(copying)]),
    ...(left === null ? [] : [`about ${left} left`]),
  ];
  const usually = usualMs === null ? '' : ` It usually takes ${duration(usualMs)}.`;
  return {
    progress,
    bytes: copying?.bytes ?? null,
    of_bytes: copying?.of ?? null,
    rate: copying && rateOf(copying),
    usual_ms: usualMs,
    spent_ms: spent(since, at),
    text: `${parts.join(', ')}.${usually}`,
  };
}

/** By the words of the task that waits: a turn at the disk, a backup store by its name, or other flows. */
function kindOf(what: string): 'another try' | 'turn' | 'store' | 'flows' {
  if (what === ANOTHER_TRY) return what;
  if (what === 'its turn') return 'turn';
  return what.startsWith('backup store ') ? 'store' : 'flows';
}

function waitsForOf({ story, holders }: FlowStory, now: Now, around: WhyAround): Why['waits_for'] {
  const { at, reader, host } = around;
  const nothing = { since: now.since, flows: [] } as const;
  if (now.waiting !== null) {
    const { what, why, since } = now.waiting;
    const kind = kindOf(what);
    // Of a try that failed the reason is a sentence of its own.
    const isTold = kind === ANOTHER_TRY && story.steps.at(-1)?.failure?.message === why;
    const reason = (reader === 'operator' || kind === 'turn') && !isTold ? `: ${why}` : '';
    return { kind, since, flows: [], text: ended(`It has waited for ${what} for ${age(since, at)}${reason}`) };
  }
  if (now.waitsFor === 'other flows') return waitsForFlows(holders, now.since, at);
  if (now.waitsFor === 'an operator' && story.flow.wish === null)
    return { ...nothing, kind: 'operator', text: 'It waits for an operator.' };
  if (now.waitsFor === null) return null;
  return { ...nothing, kind: 'process', text: ended(`Nobody runs it: ${forProcess(host, reader, at)}`) };
}

/** Whether a reason ends with a full stop depends on whose it is. */
const ended = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

function forProcess(host: WhyAround['host'], reader: Reader, at: Timestamp): string {
  if (host === undefined || reader === 'owner') return 'it waits for a server';
  const seen = host.seenAt === null ? 'was never seen' : `was last seen ${age(host.seenAt, at)} ago`;
  const failure = host.failure === null ? '' : ` and says: ${host.failure}`;
  return `it waits for a server that serves ${host.name}, which ${seen}${failure}`;
}

/** So many are named. */
const NAMED = 3;

function waitsForFlows(holders: readonly Holder[], since: Timestamp, at: Timestamp): Why['waits_for'] {
  const flows = holders.map(({ flowId: id, name, state, resource }) => ({ id, name, state, resource }));
  if (flows.length === 0)
    return { kind: 'process', since, flows, text: 'Nothing keeps it any more: a server will take it up.' };
  const named = flows.slice(0, NAMED).map((each) => `${called(each)} (${each.state}), which uses ${each.resource}`);
  const more = flows.length > NAMED ? `, and ${flows.length - NAMED} more` : '';
  return { kind: 'flows', since, flows, text: `For ${age(since, at)} it has waited for ${named.join(', ')}${more}.` };
}

/** What counts now: of a task that was tried again and is behind, the failure is over. */
function failureOf({ story, messages }: FlowStory, { reader, at }: WhyAround): Why['last_failure'] {
  const { steps, now, flow } = story;
  if (flow.state === 'success') return null;
  const last = steps.findLast(({ failure }) => failure !== null);
  if (last?.failure == null || (last.event === 'retried' && last.node !== now?.node)) return null;
  const { name, message } = last.failure;
  const userMessage = messages.at(-1)?.text ?? null;
  const which =
    last.event === 'revert_failed' ? `The revert of ${last.node}` : `Task ${last.failure.task || last.node}`;
  const reason = reader === 'operator' ? `${name}: ${message}` : (userMessage ?? 'The reason is for operators.');
  return {
    task: last.node,
    error: reader === 'operator' ? name : null,
    at: last.at,
    user_message: userMessage,
    text: [ended(`${which} failed ${age(last.at, at)} ago. ${reason}`), ...before(steps, last, reader)].join(' '),
  };
}

const NOWHERE = 'NoValidBackend';

/** Where there was no backend left to try, what failed on the last that was tried tells more. */
function causeOf(steps: readonly ToldStep[]): ToldStep | undefined {
  const last = steps.findLast(({ event }) => event === 'failed' || event === 'cancelled');
  if (last?.failure?.name !== NOWHERE || !steps.some(({ event }) => event === 'rejected')) return last;
  return steps.findLast(({ event, failure }) => event === 'failed' && failure?.name !== NOWHERE) ?? last;
}

function before(steps: readonly ToldStep[], last: ToldStep, reader: Reader): string[] {
  const cause = causeOf(steps);
  if (reader !== 'operator' || last.failure?.name !== NOWHERE || !cause?.failure || cause === last) return [];
  const { name, message, task } = cause.failure;
  return [ended(`Where it was tried last, ${task || cause.node} had failed: ${name}: ${message}`)];
}

const ITSELF = { by_itself: true, at: null, command: null } as const;
const BY_HAND = { by_itself: false, at: null } as const;

function nextOf({ story, holders }: FlowStory, { at }: WhyAround): Why['next'] {
  const { flow, now, next, steps } = story;
  if (flow.state === 'success') return { ...BY_HAND, command: null, text: 'Nothing: it is done.' };
  const resume = `pumice flows resume ${flow.id}`;
  const show = `pumice flows show ${flow.id}`;
  if (flow.state === 'reverted') {
    return { ...BY_HAND, command: show, text: adviceFor(causeOf(steps)?.failure?.name) };
  }
  if (flow.wish !== null)
    return { ...ITSELF, text: `An operator has ordered it to ${flow.wish}; a server does it at once.` };
  if (flow.state === 'stuck')
    return { ...BY_HAND, command: resume, text: `\`${resume}\` tries it again; \`abandon\` gives this one revert up.` };
  if (now === null)
    return { ...BY_HAND, command: show, text: 'A server of the version that began it goes on with it.' };
  const retry = retryAt(story);
  if (retry !== null)
    return {
      ...ITSELF,
      at: retry,
      text: `It is tried again by itself, ${retry <= at ? 'at once' : `at ${clock(retry)} at the latest`}.`,
    };
  const stuck = holders.find(({ state }) => state === 'stuck');
  if (stuck !== undefined) {
    const command = `pumice flows resume ${stuck.flowId}`;
    return { ...BY_HAND, command, text: `What keeps it is stuck: \`${command}\` tries that again.` };
  }
  if (now.waiting !== null && kindOf(now.waiting.what) === 'store') {
    const again = 'it is asked again every minute at least, and this goes on by itself';
    const text = `Make room in ${now.waiting.what}, or bring it back: ${again}. When its \`patience_seconds\` are over, this fails.`;
    return { ...ITSELF, text };
  }
  if (now.waitsFor === 'other flows') return { ...ITSELF, text: 'It begins by itself when those have ended.' };
  if (now.waitsFor === 'a process') return { ...ITSELF, text: 'It goes on by itself when a server takes it up.' };
  const [coming] = next.filter(({ maybe }) => !maybe);
  if (coming === undefined) return { ...ITSELF, text: 'Nothing more: it ends by itself.' };
  return { ...ITSELF, text: `It goes on by itself with ${now.reverting ? 'the revert of ' : ''}${coming.node}.` };
}
