/** How many backups, restores and checks run on a host at once, and who comes next. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createBackup } from '../../../src/commands/backups/create-backup.ts';
import { restoreBackup } from '../../../src/commands/backups/restore-backup.ts';
import { getBackup } from '../../../src/db/backups.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { partOfEach } from '../../../src/flows/backups/backup-tools.ts';
import { BackupTurns } from '../../../src/flows/backups/backup-turns.ts';
import type { Caller } from '../../../src/model/caller.ts';
import { condition } from '../../crash/condition.ts';
import { givenBackup, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { backupRequest } from '../requests.ts';
import { caller } from '../site.ts';

const PATIENCE_MS = 60_000;
const other: Caller = { ...caller, projectId: 'b0b1c2d3e4f5a0b1c2d3e4f5a0b1c2d3' };

/** Each copy waits until it is let go on; in the order in which they began. */
async function start(context: TestContext, set: readonly string[], concurrency = 256) {
  const live = await liveSite(context, { set, engine: { concurrency, doingIntervalMs: 5 } });
  const begun: { readonly id: string; go(): void }[] = [];
  const hold = (method: 'copy' | 'restore'): void =>
    live.site.interposeBackups(method, async (proceed, [order]) => {
      const { place } = order as { readonly place: { readonly backupId: string } };
      await new Promise<void>((go) => void begun.push({ id: place.backupId, go }));
      return proceed();
    });
  hold('copy');
  hold('restore');
  const backUp = async (asks: Caller = caller): Promise<string> => {
    const volume = await givenVolume(live.site, { projectId: asks.projectId });
    return (await createBackup(live.desk, asks, backupRequest(volume.id))).id;
  };
  const waits = async (id: string): Promise<string | undefined> =>
    (await live.flowOf(`backup:${id}`)).doing?.waiting?.why;
  const says = (id: string, why: string | undefined): Promise<void> =>
    condition(`${id} waits: ${why}`, PATIENCE_MS, async () => (await waits(id)) === why);
  const begins = (count: number): Promise<void> =>
    condition(`${count} have begun`, PATIENCE_MS, () => begun.length >= count);
  const status = async (id: string) => (await getBackup(live.database.read, id)).status;
  return { live, begun, backUp, says, begins, status };
}

describe('backups on one host', () => {
  it('run so many at once; projects take turns, and each that waits says which it is', async (context) => {
    const { live, begun, backUp, says, begins, status } = await start(context, ['max_backup_copies=1']);
    const first = await backUp();
    await begins(1);
    // Each is in the line before the next is asked for: which of two comes to it first nobody says.
    const second = await backUp();
    await says(second, '1st of 1');
    const third = await backUp();
    await says(third, '2nd of 2');
    const others = await backUp(other);
    await says(second, '1st of 3');
    await says(others, '2nd of 3');
    await says(third, '3rd of 3');
    assert.equal(begun.length, 1);
    for (let turn = 0; turn < 4; turn += 1) {
      await begins(turn + 1);
      begun[turn]?.go();
    }
    for (const id of [first, second, third, others]) {
      await live.settled(`backup:${id}`);
      assert.equal(await status(id), 'available');
    }
    assert.deepEqual(
      begun.map(({ id }) => id),
      [first, second, others, third],
    );
  });

  it('that wait take none of the places of the engine, and a restore waits for none of them', async (context) => {
    const { live, begun, backUp, says, begins } = await start(context, ['max_backup_copies=1'], 2);
    await backUp();
    await begins(1);
    const waiting = [await backUp()];
    await says(waiting[0] as string, '1st of 1');
    waiting.push(await backUp());
    await says(waiting[1] as string, '2nd of 2');
    const backup = await givenBackup(live.site, await givenVolume(live.site));
    const target = await givenVolume(live.site);
    await restoreBackup(live.desk, caller, backup.id, target.id);
    await begins(2);
    assert.equal(begun[1]?.id, backup.id);
    for (let turn = 0; turn < 4; turn += 1) {
      await begins(turn + 1);
      begun[turn]?.go();
    }
    await live.settled(`backup:${backup.id}`);
    assert.equal((await getVolume(live.database.read, target.id)).status, 'available');
    for (const id of waiting) await live.settled(`backup:${id}`);
  });

  it('that wait can be cancelled, and nothing was begun', async (context) => {
    const { live, begun, backUp, says, begins, status } = await start(context, ['max_backup_copies=1']);
    const first = await backUp();
    await begins(1);
    const waiting = await backUp();
    await says(waiting, '1st of 1');
    const { id } = await live.flowOf(`backup:${waiting}`);
    await live.engine.wish(id, 'cancel', 'not wanted any more');
    await live.settled(`backup:${waiting}`);
    assert.equal(await status(waiting), 'error');
    begun[0]?.go();
    await live.settled(`backup:${first}`);
    assert.equal(begun.length, 1);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('are told a rate, each its part of the least of the limits', async (context) => {
    const { live, backUp } = await start(context, ['backup_copy_bps_limit=3000000']);
    const rates: unknown[] = [];
    for (const method of ['copy', 'restore'] as const)
      live.site.interposeBackups(method, async (proceed, [order]) => {
        rates.push((order as { readonly bytesPerSecond: number }).bytesPerSecond);
        return proceed();
      });
    const id = await backUp();
    await live.settled(`backup:${id}`);
    await restoreBackup(live.desk, caller, id, (await givenVolume(live.site)).id);
    await live.settled(`backup:${id}`);
    assert.deepEqual(rates, [1_500_000, 1_500_000]);
    assert.deepEqual(
      [partOfEach([0, 0], 2), partOfEach([0, 7], 2), partOfEach([9, 0], 2), partOfEach([9, 7], 2)],
      [0, 4, 5, 4],
    );
  });
});

describe('checks of backups', () => {
  it('wait until no backup does', async () => {
    const turns = new BackupTurns(1);
    const call = { signal: new AbortController().signal, progress: () => {} };
    const ran: string[] = [];
    const run = (kind: 'backup' | 'verification', name: string) =>
      turns.run(kind, call, async () => void ran.push(name));
    await Promise.all([run('backup', 'b1'), run('verification', 'v1'), run('backup', 'b2')]);
    assert.deepEqual(ran, ['b1', 'b2', 'v1']);
  });
});
