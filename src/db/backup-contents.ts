/**
 * What each backup is made of, and what is still to be removed of those that are gone (*remains*).
 *
 * A pack may be removed when no backup of its scope is made of it, and none can still come to be: one that is being made takes only packs of its
 * parent, which stays as long as it has increments; and what is given up waits for those that began in an earlier epoch.
 * Both are asked when a pack is given up, and again when it is removed. What a backup has stored that failed and may be begun again is not given up, and
 * it is not waited for: what it will take of others is what its parent is made of then. Of a scope that another database made not all backups are known, and
 * no pack is given up.
 */

import type { Timestamp } from '../lib/clock.ts';
import type { BackupWay, WhyAllRead } from '../model/backup-way.ts';
import { forgetChecks } from './backup-checks.ts';
import { findScope, nextEpoch } from './backup-scopes.ts';
import { endWork, keepWork } from './backup-work.ts';
import type { Db } from './sql/db.ts';
import type { BackupRemainsTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

/** A backup that can be read: its manifest is in the store. */
export interface BackupContent {
  readonly backupId: string;
  readonly scopeId: string;
  /** Of the manifest: equal ones within a scope are equal bytes. */
  readonly root: string;
  readonly packs: readonly string[];
  /** How it was found out what to store, and why all was read; null of what was imported. */
  readonly way: BackupWay | null;
  readonly why: WhyAllRead | null;
}

export type NewContent = Omit<BackupContent, 'way' | 'why'> & Partial<BackupContent>;

/** Once is as good as twice. */
export async function keepContent(
  { db }: Tx,
  { backupId, scopeId, root, packs, way = null, why = null }: NewContent,
): Promise<void> {
  const row = { scope_id: scopeId, root, packs: JSON.stringify(packs), way, why };
  await db
    .insertInto('backup_content')
    .values({ backup_id: backupId, ...row })
    .onConflict((conflict) => conflict.column('backup_id').doUpdateSet(row))
    .execute();
}

export async function findContent(db: Db, backupId: string): Promise<BackupContent | undefined> {
  const row = await db.selectFrom('backup_content').selectAll().where('backup_id', '=', backupId).executeTakeFirst();
  if (row === undefined) return undefined;
  return {
    backupId,
    scopeId: row.scope_id,
    root: row.root,
    packs: JSON.parse(row.packs),
    way: row.way as BackupWay | null,
    why: row.why as WhyAllRead | null,
  };
}

/** The store is left as it is. */
export async function forgetContent(tx: Tx, backupId: string): Promise<void> {
  await tx.db.deleteFrom('backup_content').where('backup_id', '=', backupId).execute();
  await forgetChecks(tx, backupId);
}

/** Those of a scope that can be restored now; of them those that are made of this pack. */
export async function wholeBackups(db: Db, scopeId: string, pack?: string): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('backup_content')
    .innerJoin('backup', 'backup.id', 'backup_content.backup_id')
    .select(['backup_content.backup_id', 'backup_content.packs'])
    .where('backup_content.scope_id', '=', scopeId)
    .where('backup.status', 'in', ['available', 'restoring'])
    .orderBy('backup_content.backup_id')
    .execute();
  const isMeant = (packs: string): boolean => pack === undefined || (JSON.parse(packs) as string[]).includes(pack);
  return new Set(rows.filter(({ packs }) => isMeant(packs)).map(({ backup_id }) => backup_id));
}

/** What a store may still hold of a backup that is gone, or was never finished. */
export interface BackupRemains {
  readonly backupId: string;
  readonly scopeId: string;
  /** Whoever began in an earlier one may have seen it. */
  readonly epoch: number;
  /** Not 0: packs of these attempts that were never recorded may be there, too. */
  readonly attempts: number;
  /** Its own, and those of others that only it was made of. */
  readonly packs: readonly string[];
}

/** The backup is gone, or will never be whole: what it was made of, and others are not, is to be removed. Ends its work. */
export async function giveUpContent(tx: Tx, backupId: string, scopeId: string): Promise<void> {
  const attempts = await endWork(tx, backupId);
  const content = await findContent(tx.db, backupId);
  await forgetContent(tx, backupId);
  const isKnown = (await findScope(tx.db, scopeId))?.imported === false;
  if ((content === undefined || !isKnown) && attempts === 0) return;
  const needed = await neededPacks(tx.db, scopeId);
  const packs = isKnown ? (content?.packs ?? []).filter((pack) => !needed.has(pack)) : [];
  await toBeRemoved(tx, { backupId, scopeId, attempts, packs });
}

/** The backup has failed, and may be begun again: what its attempts have stored stays, and written down. */
export async function keepForRetry(tx: Tx, backupId: string): Promise<void> {
  await forgetContent(tx, backupId);
  await keepWork(tx, backupId);
}

/** Backups that failed before then, of which that is still so. */
export async function staleWork(
  db: Db,
  before: Timestamp,
  limit: number,
): Promise<{ readonly backupId: string; readonly scopeId: string }[]> {
  const rows = await db
    .selectFrom('backup_work')
    .innerJoin('backup', 'backup.id', 'backup_work.backup_id')
    .select(['backup.id', 'backup.scope_id'])
    .where('backup.status', '=', 'error')
    .where('backup.updated_at', '<', before)
    .orderBy('backup.id')
    .limit(limit)
    .execute();
  return rows.flatMap(({ id, scope_id }) => (scope_id === null ? [] : [{ backupId: id, scopeId: scope_id }]));
}

/**
 * A backup will be made of these packs, too; those whose names begin with `fresh` are new. False, and nothing changes, when one of the others is
 * what no backup is made of any more.
 */
export async function foreseeContent(
  tx: Tx,
  { backupId, scopeId }: BackupContent,
  packs: readonly string[],
  fresh: string,
): Promise<boolean> {
  // Whoever gives up a pack of the scope has done so before, and is seen, or does so after this, and sees it.
  await nextEpoch(tx, scopeId);
  const content = await findContent(tx.db, backupId);
  const needed = await neededPacks(tx.db, scopeId);
  const isThere = (pack: string): boolean => needed.has(pack) || pack.startsWith(`${fresh}/`);
  if (content === undefined || !packs.every(isThere)) return false;
  await keepContent(tx, { ...content, packs: [...new Set([...content.packs, ...packs])] });
  return true;
}

/** A backup is made of other packs than before: those that none is made of any more are to be removed. */
export async function changeContent(tx: Tx, content: BackupContent): Promise<void> {
  const { backupId, scopeId } = content;
  const before = await findContent(tx.db, backupId);
  if (before === undefined) return;
  await keepContent(tx, content);
  const needed = await neededPacks(tx.db, scopeId);
  const packs = before.packs.filter((pack) => !needed.has(pack));
  const isKnown = (await findScope(tx.db, scopeId))?.imported === false;
  if (isKnown && packs.length > 0) await toBeRemoved(tx, { backupId, scopeId, attempts: 0, packs });
}

async function toBeRemoved(
  tx: Tx,
  { backupId, scopeId, attempts, packs }: Omit<BackupRemains, 'epoch'>,
): Promise<void> {
  const before = await tx.db.deleteFrom('backup_remains').where('backup_id', '=', backupId).returningAll().execute();
  await tx.db
    .insertInto('backup_remains')
    .values({
      backup_id: backupId,
      scope_id: scopeId,
      epoch: await nextEpoch(tx, scopeId),
      attempts: Math.max(attempts, ...before.map((row) => row.attempts)),
      packs: JSON.stringify([...new Set([...packs, ...before.flatMap((row) => toRemains(row).packs)])]),
    })
    .execute();
}

/** Packs that a backup of the scope is made of. */
export async function neededPacks(db: Db, scopeId: string): Promise<ReadonlySet<string>> {
  const rows = await db.selectFrom('backup_content').select('packs').where('scope_id', '=', scopeId).execute();
  return new Set(rows.flatMap(({ packs }) => JSON.parse(packs) as readonly string[]));
}

/** In whose names packs may be stored just now, or are about to be removed: of backups, and of what is stored to mend one. */
export async function ownersAtWork(db: Db): Promise<ReadonlySet<string>> {
  const work = await db.selectFrom('backup_work').select('backup_id').execute();
  const remains = await db.selectFrom('backup_remains').select('backup_id').execute();
  const made = await db.selectFrom('backup').select('id as backup_id').where('status', '=', 'creating').execute();
  return new Set([...work, ...remains, ...made].map(({ backup_id }) => backup_id));
}

/** Something of the backup, or of another of its scope, is still to be removed. */
export async function isBeingSwept(db: Db, backupId: string, scopeId: string): Promise<boolean> {
  const row = await db
    .selectFrom('backup_remains')
    .select('backup_id')
    .where(({ or, eb }) => or([eb('backup_id', '=', backupId), eb('scope_id', '=', scopeId)]))
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Those that nobody can come to need any more. */
export async function removableRemains(db: Db, limit: number): Promise<BackupRemains[]> {
  const rows = await db
    .selectFrom('backup_remains')
    .selectAll()
    .where(({ not, exists, selectFrom, ref }) =>
      not(
        exists(
          selectFrom('backup')
            .select('backup.id')
            .where('backup.scope_id', '=', ref('backup_remains.scope_id'))
            .where('backup.status', '=', 'creating')
            .where('backup.epoch', '<', ref('backup_remains.epoch')),
        ),
      ),
    )
    .orderBy('epoch')
    .orderBy('backup_id')
    .limit(limit)
    .execute();
  return rows.map(toRemains);
}

export async function forgetRemains({ db }: Tx, { backupId, epoch }: BackupRemains): Promise<void> {
  await db.deleteFrom('backup_remains').where('backup_id', '=', backupId).where('epoch', '=', epoch).execute();
}

function toRemains(row: BackupRemainsTable): BackupRemains {
  return {
    backupId: row.backup_id,
    scopeId: row.scope_id,
    epoch: row.epoch,
    attempts: row.attempts,
    packs: JSON.parse(row.packs),
  };
}
