/**
 * Garbage collection of backup stores: removes what is left of backups that are gone or were never finished. Not a part of
 * their flows: nobody waits for it, also while a store is away, or somebody who began before may still need a pack.
 */
import {
  type BackupRemains,
  findContent,
  forgetRemains,
  neededPacks,
  removableRemains,
} from '../../db/backup-contents.ts';
import type { BackupTools } from '../tools.ts';
import { placeOf } from './backup-place.ts';
import { giveUpStaleWork } from './kept-work.ts';

const AT_ONCE = 20;

/** Each is tried; rejects with the first failure then. Harmless when several processes do it. */
export async function removeRemains(tools: BackupTools, signal: AbortSignal): Promise<void> {
  await giveUpStaleWork(tools);
  const failures: unknown[] = [];
  for (const remains of await removableRemains(tools.db.read, AT_ONCE)) {
    try {
      await remove(tools, remains, signal);
      await tools.db.write((tx) => forgetRemains(tx, remains));
    } catch (error) {
      signal.throwIfAborted();
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function remove(tools: BackupTools, remains: BackupRemains, signal: AbortSignal): Promise<void> {
  const { backupId, scopeId, packs, attempts } = remains;
  const { db } = tools;
  const ground = await tools.ground();
  const { place } = await placeOf(tools, { id: backupId, scopeId });
  const needed = await neededPacks(db.read, scopeId);
  // One that was mended, or read in again from its record, has its manifest, and needs it.
  if ((await findContent(db.read, backupId)) === undefined) await ground.deleteManifest(place, signal);
  const removable = packs.filter((pack) => !needed.has(pack));
  if (removable.length > 0) await ground.deletePacks(place, removable, signal);
  const isOwn = (pack: string): boolean => pack.startsWith(`${backupId}/`);
  if (attempts > 0 && ![...needed].some(isOwn)) await ground.deleteUnrecorded(place, attempts, [], signal);
}
