import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createBackup } from '../../../src/commands/backups/create-backup.ts';
import { verifyNightly } from '../../../src/commands/backups/verify-nightly.ts';
import { checksOf, damageOf } from '../../../src/db/backup-checks.ts';
import { getBackup } from '../../../src/db/backups.ts';
import { verifyBackups } from '../../../src/flows/backups/verify-backups.ts';
import { fromNow, millis, now, type Timestamp, timestampOf } from '../../../src/lib/clock.ts';
import type { Backup } from '../../../src/model/backup.ts';
import { BackupStoreUnavailable } from '../../../src/model/errors.ts';
import { proveFlow } from '../../prove-flow.ts';
import { givenBackup, givenVolume } from '../given.ts';
import { type LiveSite, type LiveSiteOptions, liveSite } from '../live-site.ts';
import { backupRequest } from '../requests.ts';
import { caller, type Site } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

const HOUR_MS = 3_600_000;
/** The night begins with the hour in which the tests do, also when another comes while they run. */
const BEGINS = Math.floor(millis(now()) / HOUR_MS) * HOUR_MS;
const HOUR = `backup_verification.hour=${new Date(BEGINS).getUTCHours()}`;
const set = [HOUR, 'backup_verification.budget_gib=1'];

const givenTwo = async (site: Site): Promise<readonly [Backup, Backup]> => [
  await givenBackup(site, await givenVolume(site)),
  await givenBackup(site, await givenVolume(site)),
];

const looked = async (site: Site, ...backups: readonly Backup[]): Promise<boolean[]> => {
  const checks = await checksOf(
    site.database.read,
    backups.map(({ id }) => id),
  );
  return backups.map(({ id }) => checks.has(id));
};

proveFlow(
  'verify_backups',
  verifyBackups,
  onSite(
    async (site) => {
      const [one, two] = await givenTwo(site);
      site.backups.rotten.add(`${two.id}/1-0`);
      return {
        begin: (desk) => verifyNightly(desk),
        done: async () => {
          const found = await damageOf(site.database.read);
          // Whoever takes it over leaves the scope that was being looked at to the next night.
          if (!(await looked(site, one, two)).every(Boolean)) return;
          assert.deepEqual(
            found.map(({ backupId, pack }) => [backupId, pack]),
            [[two.id, `${two.id}/1-0`]],
          );
          assert.match((await getBackup(site.database.read, two.id)).failReason ?? '', /are damaged/);
        },
        undone: async () => {
          for (const { id } of [one, two]) assert.equal((await getBackup(site.database.read, id)).status, 'available');
        },
      };
    },
    { set },
  ),
);
provesEveryTask(verifyBackups);

async function night(live: LiveSite, at?: Timestamp): Promise<string> {
  assert.equal(await verifyNightly(live.desk, at), true);
  return (await live.settled('backups:nightly')).state;
}

const start = async (context: TestContext, options: LiveSiteOptions = {}) => {
  const live = await liveSite(context, { set, ...options });
  const [one, two] = await givenTwo(live.site);
  return { live, one, two };
};
const days = (count: number): Timestamp => fromNow(count * 24 * HOUR_MS);

describe('the nightly verification', () => {
  it('looks at every backup, and then the night is over for every process', async (context) => {
    const { live, one, two } = await start(context);
    assert.equal(await night(live), 'success');
    assert.deepEqual(await looked(live.site, one, two), [true, true]);
    assert.equal(await verifyNightly(live.desk), false);
    assert.equal(await night(live, days(1)), 'success');
  });

  it('spends its budget, and goes on in the next night with what was not looked at for longest', async (context) => {
    const { live, one, two } = await start(context);
    const order: string[] = [];
    live.site.interposeBackups('verify', async (_proceed, [given]) => {
      const { backupIds, after, budgetBytes } = given as {
        readonly backupIds: readonly string[];
        readonly after: string | null;
        readonly budgetBytes: number;
      };
      order.push(`${backupIds[0] === one.id ? 'one' : 'two'} ${after ?? 'from the start'} ${budgetBytes / 1024 ** 3}`);
      return { damage: [], ended: order.length > 2, readBytes: budgetBytes };
    });
    for (const count of [0, 1, 2, 3]) await night(live, days(count));
    const [first, second] = order;
    assert.equal(new Set([first, second]).size, 2, 'one after the other');
    assert.deepEqual(order.slice(2), [first, second]);
    assert.deepEqual(
      order.map((each) => each.endsWith(' from the start 1')),
      [true, true, true, true],
    );
    assert.deepEqual(await looked(live.site, one, two), [true, true]);
  });

  it('looks at the others when one cannot be looked at, and says that', async (context) => {
    const { live, one, two } = await start(context);
    live.site.interposeBackups('verify', async () => {
      live.site.interposeBackups('verify', null);
      throw new BackupStoreUnavailable('It does not answer.');
    });
    assert.equal(await night(live), 'reverted');
    assert.deepEqual((await looked(live.site, one, two)).filter(Boolean).length, 1);
    assert.equal(await night(live, days(1)), 'success');
    assert.deepEqual(await looked(live.site, one, two), [true, true]);
  });

  it('waits for backups that are being made, but not for ever', async (context) => {
    const { live } = await start(context);
    const goOn = Promise.withResolvers<void>();
    live.site.interposeBackups('copy', async (proceed) => {
      await goOn.promise;
      return proceed();
    });
    const { id } = await createBackup(live.desk, caller, backupRequest((await givenVolume(live.site)).id));
    assert.equal(await verifyNightly(live.desk), false);
    assert.equal(await night(live, timestampOf(BEGINS + 5.5 * HOUR_MS)), 'success');
    goOn.resolve();
    await live.settled(`backup:${id}`);
  });

  it('is not begun by day, without a budget, beside another look, or when there is nothing to look at', async (context) => {
    const { live } = await start(context);
    for (const hours of [6, 12, 23.9])
      assert.equal(
        await verifyNightly(live.desk, timestampOf(BEGINS + hours * HOUR_MS)),
        false,
        `${hours} hours later`,
      );
    const without = await start(context, { set: [HOUR, 'backup_verification.budget_gib=0'] });
    assert.equal(await verifyNightly(without.live.desk), false);
    const empty = await liveSite(context, { set });
    assert.equal(await verifyNightly(empty.desk), false);
    const goOn = Promise.withResolvers<void>();
    live.site.interposeBackups('verify', async (proceed) => {
      await goOn.promise;
      return proceed();
    });
    assert.equal(await verifyNightly(live.desk), true);
    assert.equal(await verifyNightly(live.desk, timestampOf(BEGINS + 29.5 * HOUR_MS)), false);
    goOn.resolve();
    await live.settled('backups:nightly');
  });
});
