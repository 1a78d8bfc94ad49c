/** A store that is asked again while it is full, busy or silent. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { patient } from '../../src/backups/stores/patient-store.ts';
import type { BackupStore } from '../../src/backups/stores/store.ts';
import { BackupDamaged, BackupStoreFull, BackupStoreRefused, BackupStoreUnavailable } from '../../src/model/errors.ts';
import { MIB, NEVER } from './backup-world.ts';

/** A store whose `head` fails as told, then answers; time passes in pauses only. */
function failing(failures: readonly Error[], patienceMs: number) {
  const left = [...failures];
  const pauses: number[] = [];
  const waits: (string | null)[] = [];
  let elapsed = 0;
  const head = async (): Promise<number> => {
    const failure = left.shift();
    if (failure !== undefined) throw failure;
    return 7;
  };
  const clock = {
    elapsed: () => elapsed,
    pause: async (ms: number, signal: AbortSignal) => {
      signal.throwIfAborted();
      pauses.push(ms);
      elapsed += ms;
    },
  };
  const waiting = (why: string | null): void => void waits.push(why);
  return { store: patient({ head } as unknown as BackupStore, { clock, patienceMs, waiting }), pauses, waits };
}

const silent = () => new BackupStoreUnavailable('silent');

describe('a store that is waited for', () => {
  test('is asked again after growing pauses, and it is told why and when it goes on', async () => {
    const { store, pauses, waits } = failing(
      [
        silent(),
        new BackupStoreFull('full'),
        new BackupStoreFull('full', { needsBytes: 3 * MIB }),
        ...Array.from({ length: 6 }, silent),
      ],
      3_600_000,
    );
    assert.equal(await store.head('x', NEVER), 7);
    assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
    assert.deepEqual(waits.slice(0, 4), [
      'it does not answer (silent)',
      'it is full',
      'it is full, and about 3 MiB more are needed',
      'it does not answer (silent)',
    ]);
    assert.equal(waits.at(-1), null);
    assert.equal(waits.filter((why) => why === null).length, 1);
  });

  test('is given up when patience has run out, and at once without any', async () => {
    const long = failing(Array.from({ length: 99 }, silent), 10_000);
    await assert.rejects(long.store.head('x', NEVER), BackupStoreUnavailable);
    assert.deepEqual(long.pauses, [1000, 2000, 4000, 3000], 'also at its end it is asked');
    const none = failing([silent()], 0);
    await assert.rejects(none.store.head('x', NEVER), BackupStoreUnavailable);
    assert.deepEqual([none.pauses, none.waits], [[], []]);
  });

  test('is not asked again for what time does not mend', async () => {
    for (const failure of [new BackupStoreRefused('no'), new BackupDamaged('no'), new TypeError('no')]) {
      const { store, pauses } = failing([failure], 3_600_000);
      await assert.rejects(store.head('x', NEVER), (error) => error === failure);
      assert.deepEqual(pauses, []);
    }
  });

  test('tells that it goes on when all calls do', async () => {
    const { store, waits } = failing([silent(), silent(), silent()], 3_600_000);
    assert.deepEqual(await Promise.all([store.head('x', NEVER), store.head('y', NEVER)]), [7, 7]);
    assert.deepEqual(
      waits.map((why) => why === null),
      [false, false, false, true],
    );
  });
});
