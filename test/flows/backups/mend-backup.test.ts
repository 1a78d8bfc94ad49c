import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { MendOrder } from '../../../src/backups/backups.ts';
import { createBackup } from '../../../src/commands/backups/create-backup.ts';
import { deleteBackup } from '../../../src/commands/backups/delete-backup.ts';
import { mendBackups as command } from '../../../src/commands/backups/mend-backups.ts';
import { restoreBackup } from '../../../src/commands/backups/restore-backup.ts';
import { verifyBackup } from '../../../src/commands/backups/verify-backup.ts';
import { damageOf, keepDamage } from '../../../src/db/backup-checks.ts';
import { findContent, removableRemains } from '../../../src/db/backup-contents.ts';
import { getBackup, updateBackup } from '../../../src/db/backups.ts';
import { mendBackup } from '../../../src/flows/backups/mend-backup.ts';
import { removeRemains } from '../../../src/flows/backups/remove-remains.ts';
import { now } from '../../../src/lib/clock.ts';
import type { Backup } from '../../../src/model/backup.ts';
import { proveFlow } from '../../prove-flow.ts';
import { givenBackup, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { backupRequest } from '../requests.ts';
import { caller, type Site } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

const { signal } = new AbortController();
const packOf = ({ id }: Backup): string => `${id}/1-0`;

/** The only pack of the backup is damaged, and its row says so. */
async function damage(site: Site, backup: Backup): Promise<void> {
  site.backups.rotten.add(packOf(backup));
  const known = { what: 'It has been changed.', depth: 'packs', ranges: [], foundAt: now() } as const;
  await site.database.write(async (tx) => {
    await keepDamage(tx, { ...known, backupId: backup.id, pack: packOf(backup) });
    await updateBackup(tx, backup.id, { failReason: 'It is damaged.' });
  });
}

async function givenDamaged(site: Site) {
  const volume = await givenVolume(site);
  const damaged = await givenBackup(site, volume);
  await damage(site, damaged);
  return { volume, damaged };
}

proveFlow(
  'mend_backup',
  mendBackup,
  onSite(async (site) => {
    const { volume, damaged } = await givenDamaged(site);
    const other = await givenBackup(site, volume);
    const { read } = site.database;
    return {
      begin: (desk) => command(desk),
      done: async () => {
        const { status, failReason } = await getBackup(read, damaged.id);
        assert.deepEqual([status, failReason], ['available', null]);
        assert.deepEqual(await damageOf(read), []);
        const packs = (await findContent(read, damaged.id))?.packs ?? [];
        assert.ok(packs.includes(packOf(other)) && !packs.includes(packOf(damaged)));
        assert.deepEqual(
          packs.toSorted(),
          site.backups.manifests
            .get(damaged.id)
            ?.packs.map(({ name }) => name)
            .toSorted(),
        );
        await removeRemains(site.tools.backups, signal);
        assert.ok(!site.backups.packs.has(packOf(damaged)), 'nobody needs it any more');
        assert.ok(site.backups.manifests.has(damaged.id));
        assert.deepEqual(await removableRemains(read, 9), []);
      },
      undone: async () => {
        assert.equal((await getBackup(read, damaged.id)).status, 'available');
        const kept = new Set((await findContent(read, damaged.id))?.packs);
        const listed = site.backups.manifests.get(damaged.id)?.packs ?? [];
        assert.ok(listed.every(({ name }) => kept.has(name)));
        await removeRemains(site.tools.backups, signal);
        assert.ok(listed.every(({ name }) => site.backups.packs.has(name)));
      },
    };
  }),
);
provesEveryTask(mendBackup);

async function start(context: TestContext) {
  const live = await liveSite(context);
  const given = await givenDamaged(live.site);
  const mendings = async (): Promise<number> =>
    (await live.journal.list({ resource: `backup:${given.damaged.id}` })).filter(({ name }) => name === 'mend_backup')
      .length;
  const round = async (): Promise<number> => {
    await command(live.desk);
    if ((await mendings()) > 0) await live.settled(`backup:${given.damaged.id}`);
    return mendings();
  };
  return { live, ...given, mendings, round };
}

describe('mend_backup', () => {
  it('is begun when another backup of the volume is there, and again when one has come since', async (context) => {
    const { live, volume, round } = await start(context);
    assert.equal(await round(), 0);
    // What it holds is of no use.
    live.site.interposeBackups('mend', async (_proceed, [order]) => {
      const { place } = order as { readonly place: { readonly backupId: string } };
      return live.site.backups.manifests.get(place.backupId);
    });
    await givenBackup(live.site, volume);
    assert.deepEqual([await round(), await round()], [1, 1]);
    live.site.interposeBackups('mend', null);
    const { id } = await createBackup(live.desk, caller, backupRequest(volume.id));
    await live.settled(`backup:${id}`);
    assert.equal(await round(), 2);
    assert.deepEqual(await damageOf(live.database.read), []);
    assert.equal(await round(), 2, 'it is mended');
  });

  it('of what another verification finds is begun again', async (context) => {
    const { live, volume, damaged, round } = await start(context);
    const other = await givenBackup(live.site, volume);
    assert.equal(await round(), 1);
    live.site.backups.rotten.clear();
    const tables = (await findContent(live.database.read, damaged.id))?.packs.find((pack) => pack !== packOf(other));
    live.site.backups.rotten.add(tables ?? '');
    await verifyBackup(live.desk, caller, damaged.id, { depth: 'packs', percent: 100, budgetBytes: null });
    await live.settled(`backup:${damaged.id}`);
    assert.equal((await damageOf(live.database.read)).length, 1);
    assert.equal(await round(), 2);
    assert.deepEqual(await damageOf(live.database.read), []);
  });

  it('takes nothing that is given up meanwhile, and leaves the backup as it is', async (context) => {
    const { live, volume, damaged, round } = await start(context);
    const other = await givenBackup(live.site, volume);
    live.site.interposeBackups('mend', async (_proceed, [order, keep]) =>
      live.site.backups.mend(order as MendOrder, async (packs) => {
        await deleteBackup(live.desk, caller, other.id, { force: false });
        await live.settled(`backup:${other.id}`);
        await (keep as (packs: readonly string[]) => Promise<void>)(packs);
      }),
    );
    assert.equal(await round(), 1);
    assert.equal((await live.settled(`backup:${damaged.id}`)).state, 'reverted');
    assert.deepEqual((await findContent(live.database.read, damaged.id))?.packs, [packOf(damaged)]);
    assert.equal((await damageOf(live.database.read)).length, 1);
    await removeRemains(live.site.tools.backups, signal);
    assert.deepEqual([...live.site.backups.packs], [packOf(damaged)]);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('keeps a restore waiting, and is not begun while there is one', async (context) => {
    const { live, volume, damaged, round, mendings } = await start(context);
    await givenBackup(live.site, volume);
    const goOn = Promise.withResolvers<void>();
    live.site.interposeBackups('restore', async (proceed) => {
      await goOn.promise;
      return proceed();
    });
    const target = await givenVolume(live.site);
    await restoreBackup(live.desk, caller, damaged.id, target.id);
    await command(live.desk);
    assert.equal(await mendings(), 0);
    goOn.resolve();
    await live.settled(`backup:${damaged.id}`);
    assert.equal(await round(), 1);
  });
});
