/**
 * What keeps the page live: a number that rises when what is shown may have changed. Whoever shows something reads it again then.
 *
 * It rises every few seconds, quicker after something was begun here, and not while nobody looks. Where nobody answers it goes on
 * at the same pace, so that the page comes back by itself.
 */
import { signal } from '@preact/signals';

export const changes = signal(0);

const PACE_MS = 3_000;
const QUICK_MS = 500;
const QUICK_ROUNDS = 20;

let quick = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

function round(): void {
  if (document.visibilityState === 'visible') changes.value += 1;
  quick = Math.max(0, quick - 1);
  timer = setTimeout(round, quick > 0 ? QUICK_MS : PACE_MS);
}

/** Something was begun here: what it does is soon to be seen. */
export function begun(): void {
  quick = QUICK_ROUNDS;
  clearTimeout(timer);
  round();
}

export function live(): void {
  document.addEventListener('visibilitychange', begun);
  timer = setTimeout(round, PACE_MS);
}
