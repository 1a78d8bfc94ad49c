/**
 * What was found when backups were looked at, and how far a look has come that is not over.
 *
 * Damage is kept by backup and pack: a pack that is damaged is so for each backup that is made of it, and may be mended for one and not
 * for another. It is forgotten when a look that was no less deep finds the pack as it should be, or when the backup needs it no more.
 */
import { sql } from 'kysely';
import type { Timestamp } from '../lib/clock.ts';
import type { Db } from './sql/db.ts';
import type { BackupCheckTable, BackupDamageTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

/** From the one that sees least (`backups/backups.ts`: `VerifyOrder`). */
export const CHECK_DEPTHS = ['present', 'packs', 'chunks'] as const;
export type CheckDepth = (typeof CHECK_DEPTHS)[number];

/** The last look at a backup that came to its end. */
export interface BackupCheck {
  readonly backupId: string;
  /** When it began. */
  readonly checkedAt: Timestamp;
  readonly depth: CheckDepth;
  /** How much of the packs was read. */
  readonly percent: number;
}

export interface KnownDamage {
  readonly backupId: string;
  /** Null: it is the manifest. */
  readonly pack: string | null;
  readonly what: string;
  readonly depth: CheckDepth;
  /** Of the volume, in bytes. Empty until that was looked at, too. */
  readonly ranges: readonly { readonly at: number; readonly bytes: number }[];
  readonly foundAt: Timestamp;
}

/** A look that has not come to its end. */
export interface CheckRound {
  readonly begunAt: Timestamp;
  readonly backupIds: readonly string[];
  /** The last pack that was looked at; null: none. */
  readonly after: string | null;
}

/** One that has never been looked at is absent. */
export async function checksOf(db: Db, backupIds: readonly string[]): Promise<ReadonlyMap<string, BackupCheck>> {
  if (backupIds.length === 0) return new Map();
  const rows = await db.selectFrom('backup_check').selectAll().where('backup_id', 'in', backupIds).execute();
  return new Map(rows.map((row) => [row.backup_id, toCheck(row)]));
}

export async function keepCheck({ db }: Tx, { backupId, checkedAt, depth, percent }: BackupCheck): Promise<void> {
  const row = { checked_at: checkedAt, depth, percent };
  await db
    .insertInto('backup_check')
    .values({ backup_id: backupId, ...row })
    .onConflict((conflict) => conflict.column('backup_id').doUpdateSet(row))
    .execute();
}

/** Of these backups; of all without them. What is wrong with a manifest comes first. */
export async function damageOf(db: Db, backupIds?: readonly string[]): Promise<KnownDamage[]> {
  if (backupIds?.length === 0) return [];
  const all = db.selectFrom('backup_damage').selectAll();
  const some = backupIds === undefined ? all : all.where('backup_id', 'in', backupIds);
  return (await some.orderBy('backup_id').orderBy('pack').execute()).map(toDamage);
}

/** Packs of a scope that are damaged for any of its backups. */
export async function damagedPacks(db: Db, scopeId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('backup_damage')
    .innerJoin('backup_content', 'backup_content.backup_id', 'backup_damage.backup_id')
    .select('backup_damage.pack')
    .distinct()
    .where('backup_content.scope_id', '=', scopeId)
    .where('backup_damage.pack', '<>', '')
    .orderBy('backup_damage.pack')
    .execute();
  return rows.map(({ pack }) => pack);
}

/**
 * Available backups with damaged packs, for which another of the scope may have what they have lost: neither the damage nor the other has been
 * there when a flow of this name last began for them.
 */
export async function mendableBackups(db: Db, flowName: string, limit: number) {
  const resource = sql<string>`'backup:' || ${sql.ref('backup.id')}`;
  const rows = await db
    .selectFrom('backup_damage')
    .innerJoin('backup', 'backup.id', 'backup_damage.backup_id')
    .innerJoin('backup as other', 'other.scope_id', 'backup.scope_id')
    .innerJoin('backup_content', 'backup_content.backup_id', 'other.id')
    .select(['backup.id', 'backup.project_id', 'backup_content.scope_id'])
    .distinct()
    .where('backup_damage.pack', '<>', '')
    .where('backup.status', '=', 'available')
    .where('other.status', 'in', ['available', 'restoring'])
    .whereRef('other.id', '<>', 'backup.id')
    .where(({ not, exists, selectFrom, ref, fn }) =>
      not(
        exists(
          selectFrom('flow')
            .select('flow.id')
            .where('flow.resource', '=', resource)
            .where('flow.name', '=', flowName)
            .where('flow.created_at', '>', ref('backup_damage.found_at'))
            .where('flow.created_at', '>', fn.coalesce('other.updated_at', 'other.created_at')),
        ),
      ),
    )
    .orderBy('backup.id')
    .limit(limit)
    .execute();
  return rows.map(({ id, project_id: projectId, scope_id: scopeId }) => ({ id, projectId, scopeId }));
}

/** What is known of the same pack is replaced; it stays found when it was. */
export async function keepDamage(
  { db }: Tx,
  { backupId, pack, what, depth, ranges, foundAt }: KnownDamage,
): Promise<void> {
  const row = { what, depth, ranges: JSON.stringify(ranges) };
  await db
    .insertInto('backup_damage')
    .values({ backup_id: backupId, pack: pack ?? '', ...row, found_at: foundAt })
    .onConflict((conflict) => conflict.columns(['backup_id', 'pack']).doUpdateSet(row))
    .execute();
}

/** The same, of what is found only now: what is known already stays as it is. */
export async function noteDamage({ db }: Tx, { backupId, pack, what, depth, ranges, foundAt }: KnownDamage) {
  await db
    .insertInto('backup_damage')
    .values({ backup_id: backupId, pack: pack ?? '', what, depth, ranges: JSON.stringify(ranges), found_at: foundAt })
    .onConflict((conflict) => conflict.columns(['backup_id', 'pack']).doNothing())
    .execute();
}

export async function forgetDamage({ db }: Tx, { backupId, pack }: Pick<KnownDamage, 'backupId' | 'pack'>) {
  await db
    .deleteFrom('backup_damage')
    .where('backup_id', '=', backupId)
    .where('pack', '=', pack ?? '')
    .execute();
}

/** The backup is gone. */
export async function forgetChecks({ db }: Tx, backupId: string): Promise<void> {
  await db.deleteFrom('backup_check').where('backup_id', '=', backupId).execute();
  await db.deleteFrom('backup_damage').where('backup_id', '=', backupId).execute();
  await db.deleteFrom('backup_round').where('id', '=', backupId).execute();
}

/** Begun unless it is there. */
export async function openRound(
  { db }: Tx,
  id: string,
  { begunAt, backupIds }: Pick<CheckRound, 'begunAt' | 'backupIds'>,
): Promise<CheckRound> {
  await db
    .insertInto('backup_round')
    .values({ id, begun_at: begunAt, backup_ids: JSON.stringify(backupIds), after_pack: null })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
  const row = await db.selectFrom('backup_round').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  return { begunAt: row.begun_at, backupIds: JSON.parse(row.backup_ids), after: row.after_pack };
}

export async function moveRound({ db }: Tx, id: string, after: string): Promise<void> {
  await db.updateTable('backup_round').set({ after_pack: after }).where('id', '=', id).execute();
}

export async function closeRound({ db }: Tx, id: string): Promise<void> {
  await db.deleteFrom('backup_round').where('id', '=', id).execute();
}

function toCheck(row: BackupCheckTable): BackupCheck {
  const { backup_id: backupId, checked_at: checkedAt, depth, percent } = row;
  return { backupId, checkedAt, depth: depth as CheckDepth, percent };
}

function toDamage(row: BackupDamageTable): KnownDamage {
  return {
    backupId: row.backup_id,
    pack: row.pack === '' ? null : row.pack,
    what: row.what,
    depth: row.depth as CheckDepth,
    ranges: JSON.parse(row.ranges),
    foundAt: row.found_at,
  };
}
