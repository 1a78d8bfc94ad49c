/**
 * Loaded before any test of `npm test`: when the last test has ended, whatever still keeps the process alive (a server, a
 * timer, a child, a connection) fails the run. Without it a leak would hang a run that waits for the end of its process,
 * or be hidden by one that does not.
 *
 * The runner shares the process with the tests, so what was open before them is not theirs. A handle may need a moment to
 * close; it gets a few seconds.
 */
import { after } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

const GRACE_MS = 5_000;

const open = (): string[] => process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate');
const before = open();

function left(): string[] {
  const kinds = open();
  for (const kind of before) {
    const index = kinds.indexOf(kind);
    if (index >= 0) kinds.splice(index, 1);
  }
  return kinds;
}

after(async () => {
  for (let waited = 0; left().length > 0 && waited < GRACE_MS; waited += 50) await pause(50, undefined, { ref: false });
  const kinds = left();
  if (kinds.length === 0) return;
  // The runner does not count a hook of its own root as a failure.
  process.exitCode = 1;
  throw new Error(`Left open by a test: ${kinds.join(', ')}. Run the files one at a time to see whose it is.`);
});
