/**
 * Orphans, garbage that nobody knows of: packs on a store that nobody needs, what processes have left that were frozen and
 * went on, or were killed at a bad moment. Found by listing the store, and told; who wants them removed says so.
 *
 * A pack is spared when a backup of the database is made of it, when a manifest on the store lists it, be that of a backup
 * that the database has forgotten, when it is to be removed anyway, and when whoever has stored it may still be at it. Of a
 * scope that another database made, or of which a manifest cannot be read, nothing is an orphan: nobody here knows what is
 * needed there.
 */
import type { Backups, ListedPack } from '../../backups/backups.ts';
import { findContent, neededPacks, ownersAtWork } from '../../db/backup-contents.ts';
import { findScope } from '../../db/backup-scopes.ts';
import { PumiceError } from '../../model/errors.ts';
import type { BackupTools } from '../tools.ts';

export interface OrphansOfScope {
  readonly id: string;
  readonly packs: readonly Pick<ListedPack, 'name' | 'bytes'>[];
  remove(): Promise<void>;
}

export interface Orphans {
  readonly scopes: readonly OrphansOfScope[];
  /** Manifests of backups that the database does not know. */
  readonly unknown: readonly { readonly scope: string; readonly backupId: string }[];
  /** Scopes of which nobody can say what is needed. */
  readonly strange: readonly { readonly scope: string; readonly why: string }[];
}

/** `store`: as the configuration calls it. */
export async function orphansOf(
  { db, store: configured, keys }: BackupTools,
  ground: Backups,
  store: string,
  signal: AbortSignal,
): Promise<Orphans> {
  const { address } = configured(store);
  const scopes: OrphansOfScope[] = [];
  const unknown: { scope: string; backupId: string }[] = [];
  const strange: { scope: string; why: string }[] = [];
  // Listed before the books are read, and who is at work before what is needed: whoever ends meanwhile is in one of the two.
  const listing = await ground.listed(address, signal);
  const atWork = await ownersAtWork(db.read);
  const ours = await keys();
  for (const [scope, { packs, manifests }] of listing) {
    const row = await findScope(db.read, scope);
    if (row === undefined || row.imported) {
      strange.push({ scope, why: 'another database made it.' });
      continue;
    }
    const place = { store: address, scope, keys: ours };
    const needed = new Set(await neededPacks(db.read, scope));
    try {
      for (const backupId of manifests) {
        const { packs: listed } = await ground.readManifest({ ...place, backupId }, signal);
        if (!atWork.has(backupId) && (await findContent(db.read, backupId)) === undefined)
          unknown.push({ scope, backupId });
        for (const { name } of listed) needed.add(name);
      }
    } catch (error) {
      if (!(error instanceof PumiceError)) throw error;
      strange.push({ scope, why: error.message });
      continue;
    }
    const ownerOf = (pack: string): string => pack.split('/')[0] ?? '';
    const left = [...packs].flatMap(([name, bytes]) =>
      needed.has(name) || atWork.has(ownerOf(name)) ? [] : [{ name, bytes }],
    );
    const names = left.map(({ name }) => name);
    if (left.length > 0)
      scopes.push({ id: scope, packs: left, remove: () => ground.deletePacks(place, names, signal) });
  }
  return { scopes, unknown, strange };
}
