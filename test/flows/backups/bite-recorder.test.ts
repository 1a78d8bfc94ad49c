/** When what a copy tells is written down. */
import assert from 'node:assert/strict';
import { beginAttempt, bitesOf, type RecordedBite } from '../../../src/db/backup-work.ts';
import { BiteRecorder } from '../../../src/flows/backups/bite-recorder.ts';
import { proveStore } from '../../prove-store.ts';

const bite = (number: number): RecordedBite => ({
  pack: `b/1-${number}`,
  first: number * 10,
  chunks: 10,
  bytes: 5,
  sha256: 'ab',
});

proveStore('what a copy tells', (test) => {
  test('is recorded at once, then what came in half a second together, and at the end whatever is left', async ({
    database,
  }) => {
    const { attempt } = await database.write((tx) => beginAttempt(tx, 'b'));
    let now = 1_000_000;
    const waiting: { readonly ms: number; readonly passes: () => void }[] = [];
    const clock = {
      elapsed: () => now,
      pause: (ms: number, signal: AbortSignal) =>
        new Promise<void>((resolve, reject) => {
          signal.throwIfAborted();
          signal.addEventListener('abort', () => reject(signal.reason));
          waiting.push({ ms, passes: resolve });
        }),
    };
    const commits: (readonly [before: number, after: number])[] = [];
    const synced: number[] = [];
    const recorder = new BiteRecorder({
      db: {
        read: database.read,
        write: (unit) => {
          synced.push(commits.length);
          return database.write(unit);
        },
        writeUnsynced: (unit) => database.writeUnsynced(unit),
      },
      clock,
      backupId: 'b',
      attempt,
      recorded: 0,
      tells: (before, after) => {
        commits.push([before, after]);
        return after === 4;
      },
      tell: async () => {},
    });
    // What was to be written before it is written when this is.
    const written = (): Promise<void> => database.write(async () => {});
    recorder.take(bite(0));
    await written();
    assert.deepEqual(commits, [[0, 1]]);
    for (const number of [1, 2, 3]) {
      now += 100;
      recorder.take(bite(number));
      await written();
    }
    assert.deepEqual(commits, [[0, 1]]);
    const [{ ms, passes } = assert.fail('It waits.'), ...others] = waiting;
    assert.deepEqual([ms, others], [400, []], 'since the first was written');
    now += ms;
    passes();
    await written();
    await written();
    assert.deepEqual(commits.slice(1), [[1, 4]]);
    recorder.take(bite(4));
    await written();
    assert.equal(commits.length, 2);
    await recorder.done();
    assert.deepEqual(commits.slice(2), [[4, 5]]);
    assert.deepEqual(synced, [2], 'with what is told alone');
    assert.deepEqual(await bitesOf(database.read, 'b'), [0, 1, 2, 3, 4].map(bite));
  });
});
