/** A flow and its story, as the API tells them, and what they mean in plain words. */
import { between } from './times.ts';
import type { Tone } from './tones.ts';

export type FlowState = 'pending' | 'running' | 'reverting' | 'stuck' | 'success' | 'reverted';

interface Failure {
  readonly name: string;
  readonly message: string;
}

interface Copying {
  readonly bytes: number;
  readonly of: number | null;
}

interface Waiting {
  readonly what: string;
  readonly since: string;
  readonly why?: string | null;
}

export interface Flow {
  readonly id: string;
  readonly name: string;
  readonly state: FlowState;
  /** `volume:<id>` */
  readonly resource: string;
  readonly project_id: string;
  readonly request_id: string | null;
  readonly lane: string | null;
  readonly wish: string | null;
  readonly wish_reason: string | null;
  readonly doing: {
    readonly node: string;
    readonly since: string;
    readonly progress: number | null;
    readonly copying?: Copying | null;
    readonly waiting?: Waiting | null;
  } | null;
  readonly kept_by: readonly { readonly resource: string; readonly flow_id: string; readonly name: string }[];
  readonly created_at: string;
  readonly ended_at: string | null;
}

export interface StoryStep {
  readonly node: string;
  readonly event:
    | 'done'
    | 'failed'
    | 'cancelled'
    | 'chosen'
    | 'reverted'
    | 'revert_failed'
    | 'abandoned'
    | 'rejected'
    | 'retried'
    | 'interrupted';
  readonly attempt: number;
  readonly started_at: string | null;
  readonly at: string;
  readonly ms: number | null;
  readonly failure: Failure | null;
  readonly reason?: string | null;
}

export interface Story extends Flow {
  readonly steps: readonly StoryStep[];
  readonly now: {
    readonly node: string;
    readonly reverting: boolean;
    readonly since: string;
    readonly progress: number | null;
    readonly copying: Copying | null;
    readonly waiting: Waiting | null;
    readonly waits_for: 'a process' | 'an operator' | 'other flows' | null;
  } | null;
  readonly next: readonly { readonly node: string; readonly maybe: boolean }[];
  readonly messages: readonly { readonly id: string; readonly user_message: string }[];
}

/** `create_volume`, and a node in a part of a flow (`make/create_volume`), as one says it. */
export const spoken = (name: string): string => name.slice(name.lastIndexOf('/') + 1).replaceAll(/[_-]+/g, ' ');

const STATES: Readonly<Record<FlowState, readonly [word: string, tone: Tone]>> = {
  pending: ['waits to begin', 'busy'],
  running: ['running', 'busy'],
  reverting: ['being undone', 'busy'],
  stuck: ['stuck', 'bad'],
  success: ['done', 'good'],
  reverted: ['failed, and undone', 'bad'],
};

export const stateWord = (state: FlowState): string => STATES[state][0];
export const stateTone = (state: FlowState): Tone => STATES[state][1];

const WITH_PAGES: readonly string[] = ['volume', 'snapshot', 'group', 'group_snapshot', 'backup', 'attachment'];

/** Where the page shows a flow's resource, and its id; without a view where there is none. */
export function resourcePlace(resource: string): { readonly view: string | undefined; readonly id: string } {
  const [kind = '', id = ''] = resource.split(':', 2);
  return { view: WITH_PAGES.includes(kind) ? `${kind}s` : undefined, id };
}

/** What it waits for, or what comes of it: the sentence below its line. */
export function standingOf(story: Story): string {
  const { state, now, kept_by: keepers, ended_at: ended, created_at: began } = story;
  if (state === 'success') return `It took ${between(began, ended ?? began)}.`;
  if (state === 'reverted') return 'All that it had done is undone. It may be tried again when the reason is gone.';
  if (state === 'stuck')
    return 'Undoing it keeps failing, so it waits for an operator: resume it when the reason is gone, or abandon what cannot be undone.';
  if (now?.waits_for === 'other flows' && keepers.length > 0)
    return `It waits for ${keepers.map(({ name }) => spoken(name)).join(' and ')}, which is at work on the same thing.`;
  if (now?.waits_for === 'a process') return 'No process runs it now. It goes on by itself when its host is back.';
  if (now?.waiting) return `It waits: ${now.waiting.what}${now.waiting.why ? ` (${now.waiting.why})` : ''}.`;
  return now === null ? '' : `It is at ${spoken(now.node)}, and goes on by itself.`;
}

/** Why it failed, as its project's users were told, else as the task did; undefined when nothing has. */
export function reasonOf({ messages, steps }: Story): string | undefined {
  const failed = steps.findLast(({ failure }) => failure !== null)?.failure;
  return messages[0]?.user_message ?? failed?.message;
}

/** 0…1, where it is known. */
export function progressOf(at: Pick<NonNullable<Flow['doing']>, 'progress' | 'copying'> | null): number | null {
  if (at === null) return null;
  const { progress, copying } = at;
  if (progress !== null) return progress;
  return copying?.of ? copying.bytes / copying.of : null;
}
