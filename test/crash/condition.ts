/** Waits for what is to become true, and says what it was when it does not. */
import { setTimeout as pause } from 'node:timers/promises';

export class NeverCame extends Error {
  override readonly name = 'NeverCame';
}

export async function condition(
  what: string,
  withinMs: number,
  holds: () => Promise<boolean> | boolean,
  everyMs = 25,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new NeverCame(`In ${withinMs / 1000} s it never came to be: ${what}.`);
    await pause(everyMs);
  }
}
