import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { deleteBackup } from '../../../src/commands/backups/delete-backup.ts';
import { verifyBackup as command } from '../../../src/commands/backups/verify-backup.ts';
import { checksOf, damageOf } from '../../../src/db/backup-checks.ts';
import { keepContent } from '../../../src/db/backup-contents.ts';
import { findBackup, getBackup, updateBackup } from '../../../src/db/backups.ts';
import type { Database } from '../../../src/db/database.ts';
import { type VerifyBackup, verifyBackup } from '../../../src/flows/backups/verify-backup.ts';
import type { Backup } from '../../../src/model/backup.ts';
import { BackupStoreUnavailable } from '../../../src/model/errors.ts';
import { proveFlow } from '../../prove-flow.ts';
import { givenBackup, givenVolume } from '../given.ts';
import { type LiveSite, liveSite } from '../live-site.ts';
import { caller, type Site } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

const HOW: Omit<VerifyBackup, 'backupId'> = { depth: 'packs', percent: 100, budgetBytes: null };

/** Two of a volume; the second is made of the pack of the first, too. */
async function givenTwo(site: Site): Promise<readonly [Backup, Backup]> {
  const volume = await givenVolume(site);
  const [one, two] = [await givenBackup(site, volume), await givenBackup(site, volume)];
  const packs = [one, two].map(({ id }) => `${id}/1-0`);
  await site.database.write((tx) => keepContent(tx, { backupId: two.id, scopeId: two.scopeId ?? '', root: '', packs }));
  site.backups.share(one.id, two.id);
  return [one, two];
}

const foundIn = async ({ read }: Pick<Database, 'read'>, ...backups: readonly Backup[]) =>
  (
    await damageOf(
      read,
      backups.map(({ id }) => id),
    )
  ).map(({ backupId, pack, ranges }) => [backupId, pack, ranges.length]);

proveFlow(
  'verify_backup',
  verifyBackup,
  onSite(async (site) => {
    const [one, two] = await givenTwo(site);
    const pack = `${one.id}/1-0`;
    site.backups.rotten.add(pack);
    const { read } = site.database;
    return {
      begin: (desk) => command(desk, caller, one.id, HOW),
      done: async () => {
        assert.deepEqual(
          (await foundIn(site.database, one, two)).sort(),
          [
            [one.id, pack, 1],
            [two.id, pack, 1],
          ].sort(),
        );
        const checks = await checksOf(read, [one.id, two.id]);
        assert.partialDeepStrictEqual(checks.get(one.id), { depth: 'packs', percent: 100 });
        assert.equal(checks.get(two.id), undefined, 'its own packs were not looked at');
        for (const { id } of [one, two]) {
          const { status, failReason } = await getBackup(read, id);
          assert.equal(status, 'available');
          assert.match(failReason ?? '', /^1 MiB are damaged in the backup store, the first at 1 MiB\. /);
        }
        assert.deepEqual(await site.messages(), Array(2).fill('VOLUME_VOLUME_BACKUP_152_154'));
      },
      undone: async () => {
        // What was found is so, whatever became of who found it.
        for (const { id } of [one, two]) assert.equal((await getBackup(read, id)).status, 'available');
      },
    };
  }),
);
provesEveryTask(verifyBackup);

async function start(context: TestContext) {
  const live = await liveSite(context);
  const [one, two] = await givenTwo(live.site);
  return { live, one, two, verify: (how: Partial<typeof HOW> = {}) => verified(live, one.id, how) };
}

async function verified(live: LiveSite, id: string, how: Partial<typeof HOW>) {
  await command(live.desk, caller, id, { ...HOW, ...how });
  return live.settled(`backup:${id}`);
}

describe('verify_backup', () => {
  it('of what is as it should be keeps that it was looked at, and nothing else', async (context) => {
    const { live, one, verify } = await start(context);
    assert.equal((await verify({ depth: 'chunks', percent: 5 })).state, 'success');
    const check = (await checksOf(live.database.read, [one.id])).get(one.id);
    assert.partialDeepStrictEqual(check, { depth: 'chunks', percent: 5 });
    const { status, failReason } = await getBackup(live.database.read, one.id);
    assert.deepEqual([status, failReason, await live.site.messages()], ['available', null, []]);
  });

  it('that finds it as it should be again forgets what was damaged, unless it sees less', async (context) => {
    const { live, one, two, verify } = await start(context);
    live.site.backups.rotten.add(`${one.id}/1-0`);
    await verify();
    live.site.backups.rotten.clear();
    await verify({ depth: 'present' });
    assert.equal((await foundIn(live.database, one, two)).length, 2);
    await verify({ percent: 50 });
    assert.equal((await foundIn(live.database, one, two)).length, 2);
    await verify();
    assert.deepEqual(await foundIn(live.database, one), []);
    assert.equal((await getBackup(live.database.read, one.id)).failReason, null);
    assert.equal((await live.site.messages()).length, 2, 'nobody is told twice');
  });

  it('tells of a manifest that is not there, and keeps the backup', async (context) => {
    const { live, one, verify } = await start(context);
    live.site.backups.manifests.delete(one.id);
    await verify();
    assert.deepEqual(await foundIn(live.database, one), [[one.id, null, 0]]);
    const { status, failReason } = await getBackup(live.database.read, one.id);
    assert.equal(status, 'available');
    assert.match(failReason ?? '', /^The manifest is damaged /);
  });

  it('takes nothing for damage that was deleted meanwhile', async (context) => {
    const { live, two, one, verify } = await start(context);
    live.site.interposeBackups('verify', async (proceed) => {
      await deleteBackup(live.desk, caller, two.id, { force: false });
      await deleteBackup(live.desk, caller, one.id, { force: false });
      for (const { id } of [one, two]) await live.settled(`backup:${id}`);
      live.site.backups.packs.clear();
      return proceed();
    });
    await verify();
    assert.equal(await findBackup(live.database.read, one.id), undefined);
    assert.deepEqual(await damageOf(live.database.read), []);
    assert.deepEqual(await live.site.messages(), []);
  });

  it('with a budget goes on where the last one stopped, and has looked at it when all of it was read', async (context) => {
    const { live, two } = await start(context);
    live.site.backups.rotten.add(`${two.id}/1-0`);
    const read: number[] = [];
    live.site.interposeBackups('verify', async (proceed) => {
      const outcome = (await proceed()) as { readonly readBytes: number };
      read.push(outcome.readBytes);
      return outcome;
    });
    const isDone = async () => (await checksOf(live.database.read, [two.id])).has(two.id);
    await verified(live, two.id, { budgetBytes: 1 });
    assert.equal(await isDone(), false);
    await verified(live, two.id, { budgetBytes: 1 });
    assert.equal(await isDone(), true);
    assert.equal(read[0], read[1], 'a pack each');
    assert.deepEqual(await foundIn(live.database, two), [[two.id, `${two.id}/1-0`, 1]]);
  });

  it('that cannot reach the store says so, and leaves the backup as it is', async (context) => {
    const { live, one, verify } = await start(context);
    live.site.interposeBackups('verify', async () => {
      throw new BackupStoreUnavailable('It does not answer.');
    });
    assert.equal((await verify()).state, 'reverted');
    const { status, failReason } = await getBackup(live.database.read, one.id);
    assert.deepEqual([status, failReason, await live.site.messages()], ['available', null, []]);
  });

  it('is refused of what is no whole backup, and while it is looked at already', async (context) => {
    const { live, one, two } = await start(context);
    await live.database.write((tx) => updateBackup(tx, two.id, { status: 'error' }));
    await assert.rejects(command(live.desk, caller, two.id, HOW), {
      name: 'InvalidBackup',
      message: `Backup ${two.id} must be available or restoring to be verified; it is error.`,
    });
    const goOn = Promise.withResolvers<void>();
    live.site.interposeBackups('verify', async (proceed) => {
      await goOn.promise;
      return proceed();
    });
    await command(live.desk, caller, one.id, HOW);
    await assert.rejects(command(live.desk, caller, one.id, HOW), { name: 'ResourceHeld' });
    goOn.resolve();
    await live.settled(`backup:${one.id}`);
  });
});
