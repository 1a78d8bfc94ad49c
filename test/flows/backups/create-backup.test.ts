import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { CopyOrder } from '../../../src/backups/backups.ts';
import { createBackup as command } from '../../../src/commands/backups/create-backup.ts';
import type { Desk } from '../../../src/commands/desk.ts';
import { findBase } from '../../../src/db/backup-bases.ts';
import { keepDamage } from '../../../src/db/backup-checks.ts';
import { findContent, removableRemains } from '../../../src/db/backup-contents.ts';
import { beginAttempt } from '../../../src/db/backup-work.ts';
import { getBackup, listBackups } from '../../../src/db/backups.ts';
import { getSnapshot } from '../../../src/db/snapshots.ts';
import { getVolume, updateVolume } from '../../../src/db/volumes.ts';
import type { BackupBase } from '../../../src/drivers/driver.ts';
import { tidyBases } from '../../../src/flows/backups/bases.ts';
import { type CreateBackup, createBackup, createBackupV1 } from '../../../src/flows/backups/create-backup.ts';
import { removeRemains } from '../../../src/flows/backups/remove-remains.ts';
import { now } from '../../../src/lib/clock.ts';
import { BackupStoreFull } from '../../../src/model/errors.ts';
import type { NewVolume, Volume } from '../../../src/model/volume.ts';
import { calm } from '../../drivers/driver-world.ts';
import { proveFlow } from '../../prove-flow.ts';
import { backupsOn, contentOf, givenBackup, givenBase, givenSnapshot, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { backupRequest } from '../requests.ts';
import { caller, type Site } from '../site.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

const { signal } = new AbortController();

/** What is left is removed; then nothing of it is in the store. */
async function sweeps(site: Site): Promise<void> {
  await removeRemains(site.tools.backups, signal);
  assert.deepEqual(await removableRemains(site.database.read, 9), []);
}

const backedUp = (given: Partial<NewVolume>, of: 'volume' | 'snapshot' | 'increment' = 'volume', version = 2) =>
  onSite(async (site) => {
    const { read } = site.database;
    const volume = await givenVolume(site, given);
    const parent = of === 'increment' ? await givenBackup(site, volume) : null;
    const snapshot = of === 'snapshot' ? await givenSnapshot(site, volume) : null;
    const before = new Set([...site.backups.packs]);
    const only = async () => (await listBackups(site.database, {})).filter(({ id }) => id !== parent?.id);
    const isAsBefore = async (): Promise<void> => {
      const { status, previousStatus } = await getVolume(read, volume.id);
      assert.deepEqual([status, previousStatus], [volume.status, null]);
      if (snapshot !== null) assert.equal((await getSnapshot(read, snapshot.id)).status, 'available');
    };
    return {
      begin: (desk) =>
        command(
          version === 2 ? desk : asVersion1(desk),
          caller,
          backupRequest(volume.id, {
            force: volume.status === 'in-use',
            incremental: of === 'increment',
            snapshotId: snapshot?.id ?? null,
          }),
        ),
      done: async () => {
        const [backup, ...others] = await only();
        assert.ok(backup !== undefined && others.length === 0);
        assert.partialDeepStrictEqual(backup, {
          status: 'available',
          objectCount: 3,
          parentId: parent?.id ?? null,
          failReason: null,
        });
        await isAsBefore();
        const { head, packs } = site.backups.manifests.get(backup.id) ?? assert.fail('It is in the store.');
        const wanted = contentOf(snapshot ?? volume);
        assert.deepEqual(head.subarray(0, wanted.length), wanted);
        const content = await findContent(read, backup.id);
        assert.deepEqual(
          content?.packs,
          packs.map(({ name }) => name),
        );
        assert.equal(packs.length, parent === null ? 3 : 4);
        assert.deepEqual(site.backups.packs, new Set([...before, ...(content?.packs ?? [])]));
        assert.deepEqual(await site.events(), ['backup.create.start', 'backup.create.end']);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async () => {
        const [backup] = await only();
        assert.equal(backup?.status, 'error');
        assert.match(backup?.failReason ?? '', /^create the backup: /);
        await isAsBefore();
        assert.equal((await site.messages()).length, 1);
        await sweeps(site);
        assert.deepEqual(site.backups.packs, before);
        assert.deepEqual([...site.backups.manifests.keys()], parent === null ? [] : [parent.id]);
      },
    };
  });

/** Begins the flow as it was. */
const asVersion1 = (desk: Desk): Desk => ({
  ...desk,
  engine: {
    begin: ((tx, _flow, input, options) =>
      desk.engine.begin(tx, createBackupV1, input as unknown as CreateBackup, options)) as Desk['engine']['begin'],
  } as Desk['engine'],
});

/** Of a volume of whose last backup something is kept. */
const withBase = onSite(
  async (site) => {
    const { read } = site.database;
    const { volume, parent } = await givenBase(site);
    site.interpose('alpha', 'changedSince', async (proceed) => {
      const base = (await proceed()) as BackupBase | null;
      return base && { ...base, changed: [{ at: 0, bytes: 1024 ** 2 }] };
    });
    const kept = async () => {
      const base = await findBase(read, volume.id);
      return [base?.backupId, base?.root, site.content(`alpha/backup-${base?.backupId}`, 7).toString()];
    };
    const made = async () => (await listBackups(site.database, {})).find(({ id }) => id !== parent.id);
    return {
      begin: (desk) => command(desk, caller, backupRequest(volume.id, { incremental: true })),
      done: async () => {
        const backup = await made();
        const content = await findContent(read, backup?.id ?? '');
        assert.deepEqual([backup?.status, content?.way, content?.why], ['available', 'map', null]);
        assert.deepEqual(await kept(), [backup?.id, content?.root, 'content']);
        await tidyBases(site.tools, 'node@alpha', calm());
        assert.deepEqual(backupsOn(site), [`alpha/backup-${backup?.id}`]);
      },
      undone: async () => {
        assert.equal((await made())?.status, 'error');
        assert.deepEqual(await kept(), [parent.id, 'ab', 'content']);
        assert.deepEqual(backupsOn(site), [`alpha/backup-${parent.id}`]);
        await sweeps(site);
      },
    };
  },
  { bases: true },
);

proveFlow('create_backup of a volume', createBackup, backedUp({}));
proveVariant('create_backup of a volume, as version 1 began it', createBackupV1, backedUp({}, 'increment', 1));
proveVariant('create_backup as an increment, beside the base that is kept of the one before', createBackup, withBase);
proveVariant(
  'create_backup of a volume in use',
  createBackup,
  backedUp({ status: 'in-use', attachStatus: 'attached' }),
);
proveVariant('create_backup of a snapshot', createBackup, backedUp({}, 'snapshot'));
proveVariant('create_backup as an increment', createBackup, backedUp({}, 'increment'));
provesEveryTask(createBackup);

async function start(context: TestContext, given: Partial<NewVolume> = {}) {
  const live = await liveSite(context);
  const volume = await givenVolume(live.site, given);
  const begin = (of: Volume = volume) => command(live.desk, caller, backupRequest(of.id, { force: true }));
  const settled = async (id: string) => {
    await live.settled(`backup:${id}`);
    return getBackup(live.database.read, id);
  };
  return { live, volume, begin, settled };
}

describe('create_backup', () => {
  it('is told as creating by who accepts it', async (context) => {
    const { begin, settled } = await start(context);
    const { id, status } = await begin();
    assert.equal(status, 'creating');
    assert.equal((await settled(id)).status, 'available');
  });

  it('goes on after the last recorded bite in the next life of the process', async (context) => {
    const { live, begin, settled } = await start(context);
    const firsts: number[] = [];
    const reached = Promise.withResolvers<void>();
    live.site.interposeBackups('writeManifest', async (proceed) => {
      if (firsts.length > 0) return proceed();
      firsts.push(0);
      reached.resolve();
      return new Promise((_resolve, reject) => setTimeout(() => reject(new Error('It died.')), 2_000));
    });
    const { id } = await begin();
    await reached.promise;
    const packs = [...live.site.backups.packs];
    await live.restart();
    const backup = await settled(id);
    assert.partialDeepStrictEqual(backup, { status: 'available', objectCount: 3 });
    assert.deepEqual([...live.site.backups.packs], packs, 'nothing was copied again');
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('records nothing of an attempt that has been taken over, and stops it', async (context) => {
    const { live, volume, begin, settled } = await start(context);
    live.site.interposeBackups('copy', async (proceed) => {
      live.site.interposeBackups('copy', null);
      for (const { id } of await listBackups(live.database, {}))
        await live.database.write((tx) => beginAttempt(tx, id));
      return proceed();
    });
    const { id } = await begin();
    assert.partialDeepStrictEqual(await settled(id), { status: 'error' });
    assert.equal((await getVolume(live.database.read, volume.id)).status, 'available');
    await sweeps(live.site);
    assert.deepEqual([...live.site.backups.packs], []);
  });

  it('tells a user that the store is full, and gives the volume back', async (context) => {
    const { live, volume, begin, settled } = await start(context);
    live.site.interposeBackups('copy', async () => {
      throw new BackupStoreFull('/srv/backups is full.');
    });
    const { id } = await begin();
    const backup = await settled(id);
    assert.equal(
      backup.failReason,
      `create the backup: The backup store has no room left; backups that are deleted make some. It had come to 0 % of the volume; an operator can let it go on within 7 days: pumice backups retry ${id}.`,
    );
    assert.equal((await getVolume(live.database.read, volume.id)).status, 'available');
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_BACKUP_013_151']);
    await sweeps(live.site);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('tells the copy which packs of the scope are damaged', async (context) => {
    const { live, volume } = await start(context);
    const parent = await givenBackup(live.site, volume);
    const known = {
      backupId: parent.id,
      what: 'It is not there.',
      depth: 'packs',
      ranges: [],
      foundAt: now(),
    } as const;
    await live.database.write((tx) => keepDamage(tx, { ...known, pack: `${parent.id}/1-0` }));
    const told: unknown[] = [];
    live.site.interposeBackups('copy', async (proceed, [order]) => {
      told.push((order as CopyOrder).damaged);
      return proceed();
    });
    const { id } = await command(live.desk, caller, backupRequest(volume.id, { incremental: true }));
    await live.settled(`backup:${id}`);
    assert.deepEqual(told, [[`${parent.id}/1-0`]]);
  });

  it('is refused by a store that another one has been put in the place of', async (context) => {
    const { live, begin, settled } = await start(context);
    assert.equal((await settled((await begin()).id)).status, 'available');
    live.site.backups.store = 'store-2';
    const { status, failReason } = await settled((await begin()).id);
    assert.equal(status, 'error');
    assert.match(
      failReason ?? '',
      /^create the backup: The backup store cannot be used; an operator has to look at it\./,
    );
  });

  it('leaves a volume what it has become meanwhile', async (context) => {
    const { live, volume, begin, settled } = await start(context, { status: 'in-use', attachStatus: 'attached' });
    live.site.interposeBackups('copy', async (proceed) => {
      await live.database.write((tx) => updateVolume(tx, volume.id, { status: 'error' }));
      return proceed();
    });
    const { id } = await begin();
    assert.equal((await settled(id)).status, 'available');
    assert.equal((await getVolume(live.database.read, volume.id)).status, 'error');
  });
});
