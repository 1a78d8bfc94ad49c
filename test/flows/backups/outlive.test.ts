/** Backups and restores whose processes are killed: others go on where they stood, unless two die at the same place. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { CopyOrder, CopyWatch, RestoreOrder, RestoreWatch } from '../../../src/backups/backups.ts';
import { createBackup } from '../../../src/commands/backups/create-backup.ts';
import { restoreBackup } from '../../../src/commands/backups/restore-backup.ts';
import { getBackup } from '../../../src/db/backups.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { MIB } from '../../../src/lib/bytes.ts';
import { BackupProcessDied } from '../../../src/model/errors.ts';
import { givenBackup, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { backupRequest } from '../requests.ts';
import { caller } from '../site.ts';

const died = () => new BackupProcessDied('The process was ended.');

/** The first copies die, each after it has done one more of so many MiB; the next goes on. `steps`: how far each of them comes. */
async function copiesThatDie(context: TestContext, steps: readonly number[]) {
  const live = await liveSite(context);
  const volume = await givenVolume(live.site);
  const begun: number[] = [];
  live.site.interposeBackups('copy', async (proceed, [order, watch]) => {
    const { bites, place, attempt } = order as CopyOrder;
    const last = bites.at(-1);
    const first = last === undefined ? 0 : last.first + last.chunks;
    const chunks = steps[begun.length];
    begun.push(first);
    if (chunks === undefined) return proceed();
    if (chunks > 0) {
      const pack = `${place.backupId}/${attempt}-0`;
      live.site.backups.packs.add(pack);
      (watch as CopyWatch).bite({ pack, first, chunks, bytes: 64, sha256: '' });
    }
    throw died();
  });
  const { id } = await createBackup(live.desk, caller, backupRequest(volume.id));
  const flow = await live.settled(`backup:${id}`);
  return { live, volume, begun, flow, backup: await getBackup(live.database.read, id) };
}

describe('a backup whose process is killed', () => {
  it('goes on after the last bite, as often as it comes further in between', async (context) => {
    const { live, begun, backup } = await copiesThatDie(context, [100, 200, 300]);
    assert.deepEqual(begun, [0, 100, 300, 600]);
    assert.equal(backup.status, 'available');
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('twice at the same place fails, says where, and gives the volume back', async (context) => {
    const { live, volume, begun, flow, backup } = await copiesThatDie(context, [100, 0, 0, 0]);
    assert.deepEqual(begun, [0, 100]);
    assert.equal(backup.status, 'error');
    const steps = await live.journal.steps(flow.id);
    const failure = steps.flatMap((step) => (step.event === 'failed' ? [step.data.failure] : []))[0];
    assert.equal(failure?.message, 'Two processes have died at the same place, 100 MiB from the beginning.');
    assert.equal((await getVolume(live.database.read, volume.id)).status, 'available');
  });
});

describe('a restore whose process is killed', () => {
  async function restoresThatDie(context: TestContext, steps: readonly number[]) {
    const live = await liveSite(context);
    const backup = await givenBackup(live.site, await givenVolume(live.site));
    const target = await givenVolume(live.site);
    const begun: number[] = [];
    live.site.interposeBackups('restore', async (proceed, [order, watch]) => {
      const { doneBytes } = order as RestoreOrder;
      const more = steps[begun.length];
      begun.push(doneBytes / MIB);
      if (more === undefined) return proceed();
      if (more > 0) (watch as RestoreWatch).done(doneBytes + more * MIB);
      throw died();
    });
    await restoreBackup(live.desk, caller, backup.id, target.id);
    await live.settled(`backup:${backup.id}`);
    return { begun, status: (await getVolume(live.database.read, target.id)).status };
  }

  it('goes on where it stood, as often as it comes further in between', async (context) => {
    assert.deepEqual(await restoresThatDie(context, [128, 256, 128]), {
      begun: [0, 128, 384, 512],
      status: 'available',
    });
  });

  it('twice at the same place fails', async (context) => {
    assert.deepEqual(await restoresThatDie(context, [0, 0, 0]), { begun: [0, 0], status: 'error_restoring' });
  });
});
