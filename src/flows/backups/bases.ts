/**
 * Bases of backups: what a backup was read from stays on its backend, where that costs only what the volume changes, and the next increment asks
 * the backend what has changed since. That is believed when the base is of the very backup to which the increment points, with the
 * same root: of one that was deleted, imported, or is another project's, nothing is. It makes no difference what was done to the volume
 * meanwhile, for two things are compared that nobody writes to.
 *
 * A base is dropped for anybody's need: when the next backup is made, when its volume or its backup goes, when its volume moves or is given back, and,
 * the oldest first, when its pool has little room or none. So a full disk costs a base before it costs a user.
 */

import {
  basesOf,
  findBase,
  forgetBase,
  giveUpOldestBase,
  type KeptBase,
  keepBase,
  poolsWithBases,
  uselessBases,
} from '../../db/backup-bases.ts';
import { findContent } from '../../db/backup-contents.ts';
import { getBackup, newestAvailable } from '../../db/backups.ts';
import type { Db } from '../../db/sql/db.ts';
import type { Tx } from '../../db/sql/tx.ts';
import type { DriverCall } from '../../drivers/driver.ts';
import { hostOf, type PoolStats } from '../../model/backend.ts';
import type { WhyAllRead } from '../../model/backup-way.ts';
import type { BackupTools, Tools } from '../tools.ts';

/** What an increment is compared with on the backend. */
export interface Base {
  /** Of whom the base is; null: there is none. */
  readonly backupId: string | null;
  /** Why there is none, of an increment. */
  readonly why: WhyAllRead | null;
}

/** Per cent of a pool that are to be free, where its configuration reserves less. */
const LEAST_FREE = 5;

type BaseTools = Pick<Tools, 'driver'> & { readonly backups: Pick<BackupTools, 'db'> };

export async function baseFor(
  db: Db,
  { volumeId, pool, parentId }: { readonly volumeId: string; readonly pool: string; readonly parentId: string | null },
): Promise<Base> {
  if (parentId === null) return { backupId: null, why: null };
  const base = await findBase(db, volumeId);
  if (base === undefined || base.pool !== pool) return { backupId: null, why: 'no_base' };
  const isOfParent = base.backupId === parentId && (await findContent(db, parentId))?.root === base.root;
  return isOfParent ? { backupId: parentId, why: null } : { backupId: null, why: 'other_base' };
}

/** What it was read from is the base from now on, when no newer backup is there; the backup is available. */
export async function swapBase(
  tx: Tx,
  backupId: string,
  { volume, pool }: Pick<KeptBase, 'volume' | 'pool'>,
): Promise<void> {
  const { scopeId, projectId } = await getBackup(tx.db, backupId);
  const content = await findContent(tx.db, backupId);
  const newest = scopeId === null ? undefined : await newestAvailable(tx.db, { id: scopeId, projectId }, null);
  await keepBase(tx, { backupId, volume, pool, root: content?.root ?? '' }, newest?.id === backupId);
}

/** Drops the oldest base on a pool. False: there is none. */
export async function dropOldestBase(tools: BaseTools, pool: string, call: DriverCall): Promise<boolean> {
  const oldest = await tools.backups.db.write((tx) => giveUpOldestBase(tx, pool));
  if (oldest !== undefined) await drop(tools, oldest, call);
  return oldest !== undefined;
}

/** All of a volume: it is given to somebody who knows nothing of them, and its name is no longer where a base is looked for. */
export async function dropBasesOf(tools: BaseTools, volumeId: string, call: DriverCall): Promise<void> {
  for (const base of await basesOf(tools.backups.db.read, volumeId)) await drop(tools, base, call);
}

/** On a host: what is of no use any more, and the oldest of a pool that has little room. Each is tried; rejects with the first failure then. */
export async function tidyBases(tools: BaseTools, host: string, call: DriverCall): Promise<void> {
  const { db } = tools.backups;
  const failures: unknown[] = [];
  for (const base of await uselessBases(db.read)) {
    if (hostOf(base.pool) !== host) continue;
    await drop(tools, base, call).catch((error: unknown) => {
      call.signal.throwIfAborted();
      failures.push(error);
    });
  }
  if (failures.length > 0) throw failures[0];
  const pools = await poolsWithBases(db.read, host);
  if (pools.length === 0) return;
  const stats = await tools.driver(host).stats(call.signal);
  for (const each of stats) {
    const pool = `${host}#${each.pool_name}`;
    if (pools.includes(pool) && hasLittleRoom(each)) await dropOldestBase(tools, pool, call);
  }
}

async function drop({ driver, backups }: BaseTools, base: KeptBase, call: DriverCall): Promise<void> {
  try {
    await driver(base.pool).dropForBackup(base.backupId, base.volume, call);
  } catch (error) {
    // Each process that serves the pool drops what is of no use: another may have done so under our hands.
    if (call.signal.aborted || (await isKept(backups.db.read, base))) throw error;
    return;
  }
  await backups.db.write((tx) => forgetBase(tx, base.backupId));
}

const isKept = async (db: Db, { backupId, volume }: KeptBase): Promise<boolean> =>
  (await basesOf(db, volume.id)).some((kept) => kept.backupId === backupId);

function hasLittleRoom({ total_capacity_gb: total, free_capacity_gb: free, reserved_percentage }: PoolStats): boolean {
  if (typeof total !== 'number' || typeof free !== 'number') return false;
  return free < (total * Math.max(reserved_percentage, LEAST_FREE)) / 100;
}
