/**
 * What garbage collection deletes from a store: manifests first, then packs that no manifest lists. Everything is done when it is not
 * there.
 */
import type { Bite } from './backups.ts';
import { manifestFile, packFile, packOf, partsOf } from './format/names.ts';
import type { BackupStore } from './stores/store.ts';

/** So many are deleted at once. */
const AT_ONCE = 8;
/**
 * An attempt numbers its packs without a gap. One that was thought dead may put another after those before it were removed, so some
 * numbers further are looked at.
 */
const FURTHER = 3;

export interface Shelf {
  readonly name: string;
  readonly store: BackupStore;
}

export async function deleteManifest({ name, store }: Shelf, backupId: string, signal: AbortSignal): Promise<void> {
  await store.delete(manifestFile(name, backupId), signal);
}

export async function deletePacks(
  { name, store }: Shelf,
  packs: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (let from = 0; from < packs.length; from += AT_ONCE) {
    const some = packs.slice(from, from + AT_ONCE);
    await Promise.all(some.map((pack) => store.delete(packFile(name, pack), signal)));
  }
}

/** Packs of a backup's attempts behind those that were recorded. */
export async function deleteUnrecorded(
  shelf: Shelf,
  backupId: string,
  attempts: number,
  bites: readonly Bite[],
  signal: AbortSignal,
): Promise<void> {
  const { name, store } = shelf;
  const next = new Map<number, number>();
  for (const { attempt, number } of bites.map(({ pack }) => partsOf(pack)))
    next.set(attempt, Math.max(next.get(attempt) ?? 0, number + 1));
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    let missing = 0;
    for (let number = next.get(attempt) ?? 0; missing < FURTHER; number += 1) {
      const file = packFile(name, packOf(backupId, attempt, number));
      if ((await store.head(file, signal)) === null) missing += 1;
      else {
        missing = 0;
        await store.delete(file, signal);
      }
    }
  }
}
