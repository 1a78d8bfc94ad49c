/** What whoever asked for a backup or a restore reads when it comes to nothing, and what is as it was before. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { CopyWatch } from '../../../src/backups/backups.ts';
import { storyLines } from '../../../src/cli/flows-show.ts';
import { createBackup } from '../../../src/commands/backups/create-backup.ts';
import { deleteBackup } from '../../../src/commands/backups/delete-backup.ts';
import { restoreBackup } from '../../../src/commands/backups/restore-backup.ts';
import { getBackup } from '../../../src/db/backups.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { tellStory } from '../../../src/engine/story.ts';
import { DETAILS } from '../../../src/events/message-codes.ts';
import { failReason } from '../../../src/flows/backups/fail-reason.ts';
import { removeRemains } from '../../../src/flows/backups/remove-remains.ts';
import { FLOWS } from '../../../src/flows/registry.ts';
import { now, uuid } from '../../../src/lib/clock.ts';
import * as errors from '../../../src/model/errors.ts';
import { captured } from '../../cli/captured.ts';
import { givenBackup, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { backupRequest } from '../requests.ts';
import { caller } from '../site.ts';

const { signal } = new AbortController();

async function start(context: TestContext) {
  const live = await liveSite(context);
  const volume = await givenVolume(live.site);
  const texts = async (): Promise<string[]> =>
    (await live.database.read.selectFrom('message').select('user_message').execute()).map((row) => row.user_message);
  const backUp = async (of = volume): Promise<string> =>
    (await createBackup(live.desk, caller, backupRequest(of.id))).id;
  return { live, volume, texts, backUp };
}

/** What ails the store or the backup, and what there is to be done. */
const FAILURES: readonly (readonly [what: string, error: Error, says: RegExp])[] = [
  [
    'whose store is full',
    new errors.BackupStoreFull('/srv/b is full.'),
    /has no room left; backups that are deleted make some/,
  ],
  [
    'whose store is silent',
    new errors.BackupStoreUnavailable('/srv/b: EIO.'),
    /did not answer for too long; ask again when it is back/,
  ],
  [
    'whose store is not mounted',
    new errors.BackupStoreRefused('/srv/b is not there.'),
    /cannot be used; an operator has to look at it/,
  ],
  [
    'whose key is missing',
    new errors.BackupKeyMissing('no key 2026-a'),
    /with a key that the service does not have; an operator has to bring it/,
  ],
  [
    'of a newer release',
    new errors.BackupFormatTooNew('format 2'),
    /A newer release has written the backup; an operator has to bring this one forward/,
  ],
];

describe('who asked for a backup', () => {
  for (const [what, error, says] of FAILURES)
    it(`reads of one ${what} what there is to be done, how far it was, and no path`, async (context) => {
      const { live, volume, texts, backUp } = await start(context);
      const isKept = !(error instanceof errors.BackupFormatTooNew);
      live.site.interposeBackups('copy', async (_proceed, [order, watch]) => {
        const { place, attempt } = order as { readonly place: { readonly backupId: string }; readonly attempt: number };
        const pack = `${place.backupId}/${attempt}-0`;
        live.site.backups.packs.add(pack);
        (watch as CopyWatch).bite({ pack, first: 0, chunks: 650, bytes: 64, sha256: '' });
        throw error;
      });
      const id = await backUp();
      await live.settled(`backup:${id}`);
      const { status, failReason } = await getBackup(live.database.read, id);
      assert.equal(status, 'error');
      assert.match(failReason ?? '', says);
      const then = isKept
        ? `an operator can let it go on within 7 days: pumice backups retry ${id}`
        : 'nothing of it is kept';
      assert.match(failReason ?? '', /^create the backup: .* It had come to 63 % of the volume; /);
      assert.ok(failReason?.endsWith(`; ${then}.`), failReason ?? '');
      assert.match((await texts()).join(), says);
      assert.doesNotMatch(`${failReason} ${await texts()}`, /srv/);
      assert.equal((await getVolume(live.database.read, volume.id)).status, 'available');
      await removeRemains(live.site.tools.backups, signal);
      assert.deepEqual([...live.site.backups.packs], isKept ? [`${id}/1-0`] : []);
      assert.deepEqual(await live.site.leftovers(), []);
      await deleteBackup(live.desk, caller, id, { force: false });
      await live.settled(`backup:${id}`);
      await removeRemains(live.site.tools.backups, signal);
      assert.deepEqual([...live.site.backups.packs], []);
    });

  it('and cancels it reads how far it was, and nothing of it stays', async (context) => {
    const { live, volume, backUp } = await start(context);
    const copying = Promise.withResolvers<void>();
    live.site.interposeBackups('copy', async (_proceed, [order, watch]) => {
      const { place, attempt } = order as { readonly place: { readonly backupId: string }; readonly attempt: number };
      const { bite, signal: ends } = watch as CopyWatch;
      const pack = `${place.backupId}/${attempt}-0`;
      live.site.backups.packs.add(pack);
      bite({ pack, first: 0, chunks: 420, bytes: 64, sha256: '' });
      copying.resolve();
      await new Promise((_resolve, reject) => ends.addEventListener('abort', () => reject(ends.reason)));
    });
    const id = await backUp();
    await copying.promise;
    await live.engine.wish((await live.flowOf(`backup:${id}`)).id, 'cancel', 'not wanted any more');
    await live.settled(`backup:${id}`);
    assert.equal(
      (await getBackup(live.database.read, id)).failReason,
      'create the backup: The operation was cancelled. It had come to 41 % of the volume; nothing of it is kept.',
    );
    assert.equal((await getVolume(live.database.read, volume.id)).status, 'available');
    await removeRemains(live.site.tools.backups, signal);
    assert.deepEqual([...live.site.backups.packs], []);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('where no host makes it is told by the flow which one it waits for', async (context) => {
    const { live, backUp } = await start(context);
    const away = await givenVolume(live.site, { host: null });
    await live.database.write((tx) =>
      tx.db.updateTable('volume').set({ host: 'gone@alpha#alpha' }).where('id', '=', away.id).execute(),
    );
    const id = await backUp({ ...away, host: 'gone@alpha#alpha' });
    const flow = await live.flowOf(`backup:${id}`);
    const { terminal } = captured();
    const lines = storyLines(terminal, tellStory(FLOWS, flow, await live.journal.steps(flow.id)), [], now());
    assert.match(lines.join('\n'), /Nobody runs it: it waits for a server that serves gone@alpha\./);
  });

  it('and deletes one that others need is told which', async (context) => {
    const { live, volume } = await start(context);
    const parent = await givenBackup(live.site, volume);
    const child = await givenBackup(live.site, volume, { parentId: parent.id });
    await assert.rejects(deleteBackup(live.desk, caller, parent.id, { force: false }), {
      message: `Incremental backups exist for this backup: ${child.id}. Delete them first.`,
    });
  });

  it('never reads more than the column holds', () => {
    const backup = { id: uuid(), sizeGiB: 1 };
    const bites = [{ pack: '', first: 0, chunks: 1024, bytes: 1, sha256: '' }];
    const longest = Math.max(...Object.values(DETAILS).map(({ text }) => text.length));
    const around = 'create the backup:  It had come to 100 % of the volume; nothing of it is kept.'.length;
    assert.ok(longest + around <= 255);
    for (const [, { name }] of FAILURES)
      assert.ok(failReason({ name }, 'create-backup', { bites, backup }).length <= 255, name);
  });
});

describe('who asked for a restore', () => {
  const damaged = new errors.BackupDamaged('The chunk at 12.5 GiB is damaged in pack b/1-0.');
  for (const [what, error, says] of [
    ...FAILURES,
    ['that is damaged', damaged, /damaged in its store; an older or a newer one may be whole/] as const,
    [
      'that is not in its store',
      new errors.BackupMissing('no /srv/b/m'),
      /not in its store; an operator has to look there/,
    ] as const,
  ])
    it(`reads of a backup ${what} what there is to be done, and may restore it again`, async (context) => {
      const { live, volume, texts } = await start(context);
      const backup = await givenBackup(live.site, volume);
      live.site.interposeBackups('restore', async () => {
        throw error;
      });
      await restoreBackup(live.desk, caller, backup.id, volume.id);
      await live.settled(`backup:${backup.id}`);
      assert.match((await texts()).join(), says);
      assert.doesNotMatch((await texts()).join(), /srv|pack/);
      assert.equal((await getBackup(live.database.read, backup.id)).status, 'available');
      assert.equal((await getVolume(live.database.read, volume.id)).status, 'error_restoring');
    });
});
