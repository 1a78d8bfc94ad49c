/** A directory (in memory where there is room) with a store and files to back up, and copies as a flow orders them, in this process. */
import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupKey, BackupPlace, Bite, CopyOrder, CopyOutcome } from '../../src/backups/backups.ts';
import { copy } from '../../src/backups/copy/copy.ts';
import type { Manifest } from '../../src/backups/format/manifest.ts';
import { makeScope, openScope } from '../../src/backups/scope.ts';
import { DirectoryStore } from '../../src/backups/stores/directory-store.ts';
import type { BackupStore } from '../../src/backups/stores/store.ts';
import type { StoreAddress } from '../../src/backups/stores/store-address.ts';
import { writeManifest } from '../../src/backups/write-manifest.ts';
import { exec } from '../../src/lib/exec.ts';
import { scratchDirectory } from '../scratch.ts';

export const MIB = 1024 ** 2;
export const NEVER = new AbortController().signal;
export const SCOPE = 'scope';
const CREATED_AT = '2026-01-31T12:00:00.000000';

export interface BackupWorld {
  readonly path: string;
  /** What is in the store, as files. */
  readonly storePath: string;
  /** Brings it there, where it is elsewhere. */
  look(): Promise<void>;
  readonly store: BackupStore;
  place(backupId: string): BackupPlace;
  /** A sparse file with these bytes at these places. */
  file(name: string, bytes: number, writes: readonly (readonly [at: number, data: Buffer])[]): Promise<string>;
  remove(): Promise<void>;
}

/** A store on a server, which has packs of its own size. */
export interface FarStore {
  readonly address: StoreAddress;
  readonly store: BackupStore;
  remove(): Promise<void>;
}

/**
 * `packBytes`: small, so that little makes many packs. With keys the scope is encrypted with the first. `far`: in place of a store in the
 * directory.
 */
export async function backupWorld(
  packBytes = 4 * MIB,
  keys: readonly BackupKey[] = [],
  far?: FarStore,
): Promise<BackupWorld> {
  const path = await mkdtemp(join(scratchDirectory(), 'pumice-backups-'));
  const storePath = await mkdtemp(join(path, 'store-'));
  const { store, address } = far ?? {
    store: new DirectoryStore(storePath, packBytes),
    address: { kind: 'directory', path: storePath },
  };
  await makeScope({ scope: SCOPE, keys }, keys[0]?.id ?? null, store, NEVER);
  return {
    path,
    storePath,
    store,
    look: async () => {
      if (far !== undefined) await mirror(far.store, storePath);
    },
    place: (backupId) => ({ store: address, scope: SCOPE, keys, backupId }),
    file: async (name, bytes, writes) => {
      const file = join(path, name);
      await writeFile(file, '');
      await truncate(file, bytes);
      const handle = await open(file, 'r+');
      for (const [at, data] of writes) await handle.write(data, 0, data.length, at);
      await handle.close();
      return file;
    },
    remove: async () => {
      await rm(path, { recursive: true, force: true });
      await far?.remove();
    },
  };
}

/** Makes a directory what is in a store. */
async function mirror(store: BackupStore, path: string): Promise<void> {
  const copy = new DirectoryStore(path);
  const names = new Set<string>();
  for await (const { name } of store.list('', NEVER)) {
    names.add(name);
    await copy.put(name, await store.get(name, NEVER), NEVER);
  }
  for await (const { name } of copy.list('', NEVER)) if (!names.has(name)) await copy.delete(name, NEVER);
}

export type Wanted = { readonly file: string; readonly bytes: number } & Partial<
  Omit<CopyOrder, 'source' | 'place' | 'base'>
> & { readonly base?: string | null };

/** One attempt. Bites are added to `bites`, as a flow records them. */
export async function attemptCopy(
  world: BackupWorld,
  backupId: string,
  {
    file,
    bytes,
    base = null,
    parentId = null,
    changed = null,
    damaged = [],
    earlier = [],
    attempt = 1,
    patienceMs = 0,
  }: Wanted,
  bites: Bite[],
  store: BackupStore = world.store,
): Promise<CopyOutcome> {
  const order: CopyOrder = {
    place: world.place(backupId),
    attempt,
    source: { uri: `file:${file}`, bytes },
    parentId,
    changed,
    damaged,
    earlier,
    base: base === null ? null : { uri: `file:${base}`, bytes },
    bites: [...bites],
    patienceMs,
  };
  const watch = {
    signal: NEVER,
    bite: (bite: Bite) => void bites.push(bite),
    progress: () => {},
    waiting: () => {},
  };
  return copy(await openScope(order.place, store, NEVER), order, watch, exec);
}

export async function finish(
  world: BackupWorld,
  backupId: string,
  { bytes, parentId = null, earlier = [] }: Wanted,
  bites: readonly Bite[],
  store: BackupStore = world.store,
): Promise<Manifest> {
  const place = world.place(backupId);
  const order = { place, parentId, bytes, bites, earlier, createdAt: CREATED_AT, metadata: { volume: 'v' } };
  return writeManifest(await openScope(place, store, NEVER), order, NEVER);
}

/** A whole backup in one attempt. */
export async function backUp(world: BackupWorld, backupId: string, wanted: Wanted) {
  const bites: Bite[] = [];
  const outcome = await attemptCopy(world, backupId, wanted, bites);
  return { outcome, bites, manifest: await finish(world, backupId, wanted, bites) };
}
