/**
 * What keeps the page live: a number that rises when what is shown may have changed. Whoever shows something reads it again then.
 *
 * It rises when the stream of changes says so, at once and then not more than some times a second. Where there is no stream (the
 * service is away, the browser is old) it rises every few seconds, quicker after something was begun here; with one it rises now and
 * then all the same, since not everything is told. Not while nobody looks.
 */
import { effect, signal } from '@preact/signals';
import { standing } from './session.ts';
import type { FromWorker, ToWorker } from './stream-worker.ts';

export const changes = signal(0);

/** Rises each second: who shows how long something has gone on already shows it anew, and asks nobody. */
export const seconds = signal(0);

const SECOND_MS = 1_000;
const PACE_MS = 3_000;
const PACE_WITH_STREAM_MS = 30_000;
const QUICK_MS = 500;
const QUICK_ROUNDS = 20;
/** Between two readings, however much is told. */
const GATHER_MS = 300;

let quick = 0;
let streaming = false;
let timer: ReturnType<typeof setTimeout> | undefined;
let gathering: ReturnType<typeof setTimeout> | undefined;
let more = false;

function rise(): void {
  if (document.visibilityState !== 'visible') return;
  changes.value += 1;
}

function round(): void {
  clearTimeout(timer);
  rise();
  quick = Math.max(0, quick - 1);
  timer = setTimeout(round, streaming ? PACE_WITH_STREAM_MS : quick > 0 ? QUICK_MS : PACE_MS);
}

/** Something was begun here: what it does is soon to be seen. */
export function begun(): void {
  quick = QUICK_ROUNDS;
  round();
}

/** What nothing is told of has changed, or may have. */
export const lookAgain = rise;

/** The first is shown at once, what follows is gathered. */
function told(): void {
  if (gathering !== undefined) {
    more = true;
    return;
  }
  rise();
  gathering = setTimeout(() => {
    gathering = undefined;
    if (more) told();
    more = false;
  }, GATHER_MS);
}

/** `onOtherSession`: somebody signed in as another, in another tab. */
export function live(onOtherSession: () => void): void {
  document.addEventListener('visibilitychange', begun);
  timer = setTimeout(round, PACE_MS);
  setInterval(() => {
    if (document.visibilityState === 'visible') seconds.value += 1;
  }, SECOND_MS);
  const worker = sharedWorker();
  if (worker === undefined) return;
  worker.port.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data === 'session') return onOtherSession();
    if (data === 'changed') return told();
    streaming = data === 'up';
    round();
  };
  effect(() => {
    const session = standing.value?.session;
    const message: ToWorker = session
      ? { is: 'watch', as: `${session.user.id} ${session.project.id}` }
      : { is: 'leave' };
    if (standing.value !== undefined) worker.port.postMessage(message);
  });
}

interface WithTrustedTypes {
  readonly trustedTypes?: {
    createPolicy(
      name: string,
      rules: { createScriptURL(url: string): string },
    ): { createScriptURL(url: string): string };
  };
}

/** Undefined in a browser without. Its address is the one that the HTML names, and no script may make another. */
function sharedWorker(): SharedWorker | undefined {
  const url = document.querySelector<HTMLMetaElement>('meta[name=stream]')?.content;
  if (url === undefined || typeof SharedWorker === 'undefined') return undefined;
  const { trustedTypes } = globalThis as WithTrustedTypes;
  const policy = trustedTypes?.createPolicy('pumice', {
    createScriptURL: (wanted) => (wanted === url ? wanted : ''),
  });
  return new SharedWorker(policy?.createScriptURL(url) ?? url, { type: 'module' });
}
