/** What lies on a store, by its own list: for who looks for what nobody knows of. What is not in a list may be there all the same. */
import type { StoreListing } from './backups.ts';
import type { BackupStore } from './stores/store.ts';

const NAME = /^scopes\/([A-Za-z0-9_-]{1,200})\/(packs|manifests)\/(.+)$/;

export async function listed(store: BackupStore, signal: AbortSignal): Promise<StoreListing> {
  const scopes = new Map<string, { packs: Map<string, number>; manifests: string[] }>();
  for await (const { name, bytes } of store.list('scopes/', signal)) {
    const [, scope = '', kind, rest = ''] = NAME.exec(name) ?? [];
    if (kind === undefined) continue;
    const found = scopes.get(scope) ?? { packs: new Map<string, number>(), manifests: [] as string[] };
    scopes.set(scope, found);
    if (kind === 'packs') found.packs.set(rest, bytes);
    else found.manifests.push(rest);
  }
  return scopes;
}
