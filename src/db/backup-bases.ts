/**
 * Bases: of a volume that was backed up, what its backend keeps on, so that it can be told what has changed since. One a volume, that of its
 * newest backup. Nothing depends on a base: without it the next backup reads more.
 *
 * A row comes in the commit in which its backup becomes available; until then what is kept is its flow's. It goes after the backend has
 * dropped what it keeps: to give up a base is to mark its row. One whose backup or volume is gone, or whose volume is elsewhere, is of no
 * use either, whoever made it so.
 */
import { now } from '../lib/clock.ts';
import type { Db } from './sql/db.ts';
import type { BackupBaseTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

export interface KeptBase {
  /** Whose it is: the backend keeps it under this id. */
  readonly backupId: string;
  readonly volume: { readonly id: string; readonly nameId: string | null };
  /** `node@backend#pool` */
  readonly pool: string;
  /** Of that backup (`BackupContent`). */
  readonly root: string;
}

/** The one of its volume from now on. `isNewest`: false, and it is given up at once. */
export async function keepBase(tx: Tx, { backupId, volume, pool, root }: KeptBase, isNewest: boolean): Promise<void> {
  if (isNewest)
    await tx.db.updateTable('backup_base').set({ given_up: 1 }).where('volume_id', '=', volume.id).execute();
  await tx.db
    .insertInto('backup_base')
    .values({
      backup_id: backupId,
      volume_id: volume.id,
      name_id: volume.nameId,
      pool,
      root,
      created_at: now(),
      given_up: isNewest ? 0 : 1,
    })
    .execute();
}

export async function giveUpBase({ db }: Tx, backupId: string): Promise<void> {
  await db.updateTable('backup_base').set({ given_up: 1 }).where('backup_id', '=', backupId).execute();
}

/** Of a volume. */
export async function findBase(db: Db, volumeId: string): Promise<KeptBase | undefined> {
  const row = await db
    .selectFrom('backup_base')
    .selectAll()
    .where('volume_id', '=', volumeId)
    .where('given_up', '=', 0)
    .executeTakeFirst();
  return row && toBase(row);
}

/** All that are kept of a volume, with those that were given up. */
export async function basesOf(db: Db, volumeId: string): Promise<readonly KeptBase[]> {
  const rows = await db.selectFrom('backup_base').selectAll().where('volume_id', '=', volumeId).execute();
  return rows.map(toBase);
}

/** Gives up the oldest one on a pool. Undefined: there is none. */
export async function giveUpOldestBase({ db }: Tx, pool: string): Promise<KeptBase | undefined> {
  const row = await db
    .updateTable('backup_base')
    .set({ given_up: 1 })
    .where('backup_id', '=', ({ selectFrom }) =>
      selectFrom('backup_base')
        .select('backup_id')
        .where('pool', '=', pool)
        .where('given_up', '=', 0)
        .orderBy('created_at')
        .orderBy('backup_id')
        .limit(1),
    )
    .returningAll()
    .executeTakeFirst();
  return row && toBase(row);
}

/** Pools of a host, `node@backend`, on which some are kept. */
export async function poolsWithBases(db: Db, host: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('backup_base')
    .select('pool')
    .distinct()
    .where('given_up', '=', 0)
    .where('pool', '>=', `${host}#`)
    .where('pool', '<', `${host}$`)
    .execute();
  return rows.map(({ pool }) => pool);
}

/** Those that are of no use, on whichever host. */
export async function uselessBases(db: Db): Promise<readonly KeptBase[]> {
  const rows = await db
    .selectFrom('backup_base')
    .leftJoin('volume', (join) =>
      join.onRef('volume.id', '=', 'backup_base.volume_id').onRef('volume.host', '=', 'backup_base.pool'),
    )
    .leftJoin('backup', 'backup.id', 'backup_base.backup_id')
    .selectAll('backup_base')
    .where(({ or, eb }) =>
      or([eb('backup_base.given_up', '=', 1), eb('volume.id', 'is', null), eb('backup.id', 'is', null)]),
    )
    .execute();
  return rows.map(toBase);
}

/** All, with those that were given up. */
export async function allBases(db: Db): Promise<readonly (KeptBase & { readonly givenUp: boolean })[]> {
  const rows = await db.selectFrom('backup_base').selectAll().execute();
  return rows.map((row) => ({ ...toBase(row), givenUp: row.given_up === 1 }));
}

/** The backend keeps nothing of it. */
export async function forgetBase({ db }: Tx, backupId: string): Promise<void> {
  await db.deleteFrom('backup_base').where('backup_id', '=', backupId).execute();
}

const toBase = (row: BackupBaseTable): KeptBase => ({
  backupId: row.backup_id,
  volume: { id: row.volume_id, nameId: row.name_id },
  pool: row.pool,
  root: row.root,
});
