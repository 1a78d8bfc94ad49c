/** What becomes of backups and restores while their store is full, busy or silent, and what is told meanwhile. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Backups, WorkWatch } from '../../../src/backups/backups.ts';
import { createBackup } from '../../../src/commands/backups/create-backup.ts';
import { restoreBackup } from '../../../src/commands/backups/restore-backup.ts';
import { getBackup } from '../../../src/db/backups.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { BackupStoreFull, BackupStoreUnavailable } from '../../../src/model/errors.ts';
import { condition } from '../../crash/condition.ts';
import { givenBackup, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { backupRequest } from '../requests.ts';
import { caller } from '../site.ts';

const PATIENCE_MS = 60_000;
const PATIENT = 'backup_stores.main.patience_seconds=3600';

async function start(context: TestContext, set: readonly string[] = []) {
  const live = await liveSite(context, { set, engine: { doingIntervalMs: 5 } });
  const volume = await givenVolume(live.site);
  const says = (id: string, what: string, why: string): Promise<void> =>
    condition(`${id} waits for ${what}: ${why}`, PATIENCE_MS, async () => {
      const waiting = (await live.flowOf(`backup:${id}`)).doing?.waiting;
      return waiting?.what === what && waiting.why === why;
    });
  const goesOn = (id: string): Promise<void> =>
    condition(`${id} goes on`, PATIENCE_MS, async () => {
      const { doing } = await live.flowOf(`backup:${id}`);
      return doing !== null && doing.waiting === undefined;
    });
  const backUp = async (): Promise<string> => (await createBackup(live.desk, caller, backupRequest(volume.id))).id;
  const status = async (id: string) => (await getBackup(live.database.read, id)).status;
  /** How often it was called; it fails these first times. */
  const fails = (method: keyof Backups, failures: readonly Error[]): (() => number) => {
    let calls = 0;
    live.site.interposeBackups(method, (proceed) => {
      const failure = failures[calls];
      calls += 1;
      return failure === undefined ? proceed() : Promise.reject(failure);
    });
    return () => calls;
  };
  return { live, volume, says, goesOn, backUp, status, fails };
}

describe('a backup store that lets wait', () => {
  for (const work of ['copy', 'restore'] as const)
    it(`is what the flow waits for, as the ${work} tells it`, async (context) => {
      const { live, volume, says, goesOn, backUp, status } = await start(context);
      const told = Promise.withResolvers<WorkWatch>();
      const ended = Promise.withResolvers<void>();
      live.site.interposeBackups(work, async (proceed, [, watch]) => {
        told.resolve(watch as WorkWatch);
        await ended.promise;
        return proceed();
      });
      let id: string;
      if (work === 'copy') id = await backUp();
      else {
        id = (await givenBackup(live.site, volume)).id;
        await restoreBackup(live.desk, caller, id, volume.id);
      }
      const watch = await told.promise;
      watch.progress(0.41, { bytes: 410, of: 1000 });
      watch.waiting('it is full, and about 3.1 GiB more are needed');
      await says(id, 'backup store main', 'it is full, and about 3.1 GiB more are needed');
      assert.partialDeepStrictEqual((await live.flowOf(`backup:${id}`)).doing, {
        progress: 0.41,
        copying: { bytes: 410, of: 1000 },
      });
      watch.waiting(null);
      await goesOn(id);
      ended.resolve();
      await live.settled(`backup:${id}`);
      assert.equal(await status(id), 'available');
    });

  const silent = new BackupStoreUnavailable('the backup store does not answer');
  const full = new BackupStoreFull('no room');
  for (const [method, failure, why] of [
    ['openScope', silent, 'it does not answer (the backup store does not answer)'],
    ['writeManifest', full, 'it is full'],
    ['deleteUnrecorded', silent, 'it does not answer (the backup store does not answer)'],
  ] as const)
    it(`is asked again when it fails at ${method}, and no copy is made twice`, async (context) => {
      const { live, says, backUp, status, fails } = await start(context, [PATIENT]);
      const calls = fails(method, [failure, failure]);
      const copies = fails('copy', []);
      const id = await backUp();
      await says(id, 'backup store main', why);
      await live.settled(`backup:${id}`);
      assert.deepEqual([await status(id), calls(), copies()], ['available', 3, 1]);
    });

  it('for longer than anybody waits fails the backup once, not once for each try', async (context) => {
    const { live, volume, backUp, status, fails } = await start(context);
    const calls = fails('copy', [full, full, full, full]);
    const id = await backUp();
    await live.settled(`backup:${id}`);
    assert.deepEqual([await status(id), calls()], ['error', 1]);
    assert.equal((await getVolume(live.database.read, volume.id)).status, 'available');
  });

  it('for longer than anybody waits fails a restore once', async (context) => {
    const { live, volume, fails } = await start(context);
    const calls = fails('restore', [silent, silent, silent, silent]);
    const { id } = await givenBackup(live.site, volume);
    await restoreBackup(live.desk, caller, id, volume.id);
    await live.settled(`backup:${id}`);
    assert.deepEqual([(await getVolume(live.database.read, volume.id)).status, calls()], ['error_restoring', 1]);
  });

  it('and is waited for is left at once by who is cancelled', async (context) => {
    const { live, says, backUp, status, fails } = await start(context, [PATIENT]);
    fails(
      'openScope',
      Array.from({ length: 99 }, () => silent),
    );
    const id = await backUp();
    await says(id, 'backup store main', 'it does not answer (the backup store does not answer)');
    await live.engine.wish((await live.flowOf(`backup:${id}`)).id, 'cancel', 'not wanted any more');
    await live.settled(`backup:${id}`);
    assert.equal(await status(id), 'error');
    assert.deepEqual(await live.site.leftovers(), []);
  });
});
