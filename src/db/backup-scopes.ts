/**
 * The scopes of backups: those of one volume in one project share on their store what is equal in them, and nobody else does. A volume that
 * changes its project begins another.
 *
 * A scope counts *epochs*: a backup remembers the one in which it began, and what is given up is given up in a new one. So it can be told
 * whether somebody who is still at work may have begun before (`backup-contents.ts`).
 */
import { type Timestamp, uuid } from '../lib/clock.ts';
import type { Db } from './sql/db.ts';
import type { BackupScopeTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

export interface BackupScopeRow {
  /** Its name on the store. */
  readonly id: string;
  /** As the configuration calls it. */
  readonly store: string;
  readonly projectId: string;
  readonly volumeId: string;
  readonly epoch: number;
  /** Another database made it, and not all of its backups are known here. */
  readonly imported: boolean;
  /** A copy has come as far as the store, or another database has. Else there is no backup of it. */
  readonly opened: boolean;
}

/** Made unless it is there. */
export async function scopeOfVolume(
  { db }: Tx,
  store: string,
  projectId: string,
  volumeId: string,
): Promise<BackupScopeRow> {
  await db
    .insertInto('backup_scope')
    .values({
      id: uuid(),
      store,
      store_id: null,
      project_id: projectId,
      volume_id: volumeId,
      epoch: 0,
      imported: 0,
      looked_at: null,
    })
    .onConflict((conflict) => conflict.columns(['store', 'project_id', 'volume_id']).doNothing())
    .execute();
  const row = await db
    .selectFrom('backup_scope')
    .selectAll()
    .where('store', '=', store)
    .where('project_id', '=', projectId)
    .where('volume_id', '=', volumeId)
    .executeTakeFirstOrThrow();
  return toScope(row);
}

/**
 * A scope of which a record tells; known, or made by another database. Of that one no backup is made here: it goes by its own id in place of a
 * volume's.
 */
export async function adoptScope(
  { db }: Tx,
  { id, store, projectId }: Pick<BackupScopeRow, 'id' | 'store' | 'projectId'>,
): Promise<BackupScopeRow> {
  await db
    .insertInto('backup_scope')
    .values({ id, store, store_id: null, project_id: projectId, volume_id: id, epoch: 0, imported: 1, looked_at: null })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
  return toScope(await db.selectFrom('backup_scope').selectAll().where('id', '=', id).executeTakeFirstOrThrow());
}

export async function findScope(db: Db, id: string): Promise<BackupScopeRow | undefined> {
  const row = await db.selectFrom('backup_scope').selectAll().where('id', '=', id).executeTakeFirst();
  return row && toScope(row);
}

export async function allScopes(db: Db): Promise<readonly BackupScopeRow[]> {
  return (await db.selectFrom('backup_scope').selectAll().orderBy('id').execute()).map(toScope);
}

/** The store says that it is this one. False when it was another before: what the scope has is not there. */
export async function knowStore({ db }: Tx, id: string, storeId: string): Promise<boolean> {
  const row = await db
    .updateTable('backup_scope')
    .set({ store_id: storeId })
    .where('id', '=', id)
    .where(({ or, eb }) => or([eb('store_id', 'is', null), eb('store_id', '=', storeId)]))
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** The scope with backups that can be restored which nobody has looked at for longest; undefined when all have had their turn in the look that began then. */
export async function nextToLookAt(db: Db, since: Timestamp): Promise<string | undefined> {
  const row = await db
    .selectFrom('backup_scope')
    .select('id')
    .where(({ or, eb }) => or([eb('looked_at', 'is', null), eb('looked_at', '<', since)]))
    .where(({ exists, selectFrom, ref }) =>
      exists(
        selectFrom('backup_content')
          .innerJoin('backup', 'backup.id', 'backup_content.backup_id')
          .select('backup.id')
          .where('backup_content.scope_id', '=', ref('backup_scope.id'))
          .where('backup.status', 'in', ['available', 'restoring']),
      ),
    )
    .orderBy(({ fn, val }) => fn.coalesce('looked_at', val('')))
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row?.id;
}

/** Its turn has come in the look that began then. */
export async function beginLook({ db }: Tx, id: string, at: Timestamp): Promise<void> {
  await db.updateTable('backup_scope').set({ looked_at: at }).where('id', '=', id).execute();
}

/** Begins another epoch. */
export async function nextEpoch({ db }: Tx, id: string): Promise<number> {
  const row = await db
    .updateTable('backup_scope')
    .set(({ eb }) => ({ epoch: eb('epoch', '+', 1) }))
    .where('id', '=', id)
    .returning('epoch')
    .executeTakeFirstOrThrow();
  return row.epoch;
}

function toScope(row: BackupScopeTable): BackupScopeRow {
  return {
    id: row.id,
    store: row.store,
    projectId: row.project_id,
    volumeId: row.volume_id,
    epoch: row.epoch,
    imported: row.imported === 1,
    opened: row.imported === 1 || row.store_id !== null,
  };
}
