/**
 * Mend a backup that is damaged in its store, of what other backups of its scope hold of the same: those that were there, and those that were made since,
 * which store again what lies in damaged packs.
 *
 * Who restores or deletes the backup meanwhile waits for it: it takes as long as to read some tables. What it is made of is written down before the
 * manifest says so, so that nobody takes that away; packs that it needs no more go as those of a deleted backup do, when nobody needs them.
 */
import { damagedPacks } from '../../db/backup-checks.ts';
import { changeContent, findContent, foreseeContent, giveUpContent, wholeBackups } from '../../db/backup-contents.ts';
import { beginAttempt, endWork } from '../../db/backup-work.ts';
import { newestOf } from '../../db/backups.ts';
import { BackupFailed } from '../../model/errors.ts';
import { flow, obligation, world } from '../tools.ts';
import { placeOf } from './backup-place.ts';
import { lookAgain } from './look-at-backups.ts';

export interface MendBackup {
  readonly backupId: string;
  readonly scopeId: string;
  /** Under which its new tables are stored; nobody else's. */
  readonly name: string;
}

/** So many others are asked, the newest. */
const SOURCES = 8;

/** What was stored, and is in no manifest, is to be removed. */
const DropTables = obligation({
  name: 'drop_tables',
  revert: async ({ name, scopeId }: MendBackup, _outcome, { tx }) => giveUpContent(tx, name, scopeId),
});

const Mend = world({
  name: 'mend',
  execute: async ({ backupId, scopeId, name }: MendBackup, call) => {
    const { db, ground } = call.tools.backups;
    const content = await findContent(db.read, backupId);
    if (content === undefined) return;
    const { place, patienceMs } = await placeOf(call.tools.backups, { id: backupId, scopeId });
    const others = [...(await wholeBackups(db.read, scopeId))].filter((id) => id !== backupId);
    const { attempt } = await db.write((tx) => beginAttempt(tx, name));
    const manifest = await (await ground()).mend(
      {
        place,
        sources: await newestOf(db.read, others, SOURCES),
        damaged: await damagedPacks(db.read, scopeId),
        name,
        attempt,
      },
      async (packs) => {
        if (!(await db.write((tx) => foreseeContent(tx, content, packs, name))))
          throw new BackupFailed(`What backup ${backupId} was to be mended of is being removed.`);
      },
      call.signal,
    );
    const packs = manifest.packs.map((pack) => pack.name);
    await db.write((tx) => changeContent(tx, { ...content, packs }));
    await lookAgain({ scopeId, backupId, patienceMs }, call);
    await db.write((tx) => endWork(tx, name));
  },
});

export const mendBackup = flow<MendBackup>('mend_backup').add(DropTables).add(Mend).build({ version: 1 });
