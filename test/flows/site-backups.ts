/**
 * A ground of backups for proofs of flows: it keeps the promises of `backups/backups.ts` with the first bytes of a volume, where the
 * real one copies gigabytes in a process of its own. What is in its store is known at any time.
 */
import { open } from 'node:fs/promises';
import type {
  BackupManifest,
  BackupPlace,
  BackupScope,
  Backups,
  Bite,
  CinderBackup,
  CinderPlace,
  CinderRestoreOrder,
  CopyOrder,
  CopyOutcome,
  CopyWatch,
  ListedPack,
  ManifestOrder,
  MendOrder,
  RestoreOrder,
  RestoreOutcome,
  RestoreWatch,
  StoreListing,
  VerifyOrder,
  VerifyOutcome,
  VerifyWatch,
} from '../../src/backups/backups.ts';
import { now } from '../../src/lib/clock.ts';
import { BackupDamaged, BackupMissing } from '../../src/model/errors.ts';

/** Of a volume, what is kept of it. */
const HEAD = 64;
const MIB = 1024 ** 2;
/** Parts in which a volume is copied. */
const BITES = 3;

export class SiteBackups implements Backups {
  readonly packs = new Set<string>();
  readonly manifests = new Map<string, BackupManifest & { readonly head: Buffer }>();
  /** Packs of which a bit has been changed. */
  readonly rotten = new Set<string>();
  /** Backups of another database: what is in the store of them is nothing that was left. */
  readonly foreign = new Set<string>();
  /** What a real Cinder has made, by the names of its metadata. */
  readonly cinder = new Map<string, CinderBackup & { readonly head: Buffer }>();
  readonly #heads = new Map<string, Buffer>();

  /** One that is whole, in one pack. */
  hold(backupId: string, sizeGiB: number, head: Buffer): void {
    const name = `${backupId}/1-0`;
    this.packs.add(name);
    const packs = [{ name, bytes: HEAD, sha256: '' }];
    const bytes = sizeGiB * 1024 * MIB;
    this.manifests.set(backupId, { backupId, bytes, root: 'ab', packs, createdAt: now(), metadata: null, head });
  }

  /** The second is made of the packs of the first, too. */
  share(from: string, to: string): void {
    const [one, two] = [this.#manifest(from), this.#manifest(to)];
    this.manifests.set(to, { ...two, packs: [...one.packs, ...two.packs] });
  }

  /** The id of the store. */
  store = 'store-1';

  async openScope(): Promise<string> {
    return this.store;
  }

  async changeKey(): Promise<boolean> {
    return false;
  }

  async copy(order: CopyOrder, watch: CopyWatch): Promise<CopyOutcome> {
    const { place, attempt, source, bites, parentId, changed } = order;
    watch.signal.throwIfAborted();
    this.#heads.set(place.backupId, await headOf(source.uri));
    const chunks = source.bytes / MIB;
    const each = Math.ceil(chunks / BITES);
    const last = bites.at(-1);
    let number = 0;
    for (let first = last === undefined ? 0 : last.first + last.chunks; first < chunks; first += each) {
      const bite: Bite = {
        pack: `${place.backupId}/${attempt}-${number}`,
        first,
        chunks: Math.min(each, chunks - first),
        bytes: HEAD,
        sha256: '',
      };
      number += 1;
      this.packs.add(bite.pack);
      watch.bite(bite);
      watch.progress((first + bite.chunks) / chunks);
      await new Promise(setImmediate);
      watch.signal.throwIfAborted();
    }
    const way = parentId === null ? 'full' : changed === null ? 'digests' : 'map';
    return { way, distrusted: false, readBytes: HEAD, storedBytes: HEAD };
  }

  async writeManifest(order: ManifestOrder): Promise<BackupManifest> {
    const { place, parentId, bites, bytes, createdAt, metadata } = order;
    const parent = parentId === null ? [] : this.#manifest(parentId).packs;
    const own = bites.map(({ pack: name, bytes, sha256 }) => ({ name, bytes, sha256 }));
    const head = this.#heads.get(place.backupId) ?? Buffer.alloc(0);
    const packs = [...parent, ...own];
    const manifest = { backupId: place.backupId, bytes, root: head.toString('hex'), packs, createdAt, metadata, head };
    this.manifests.set(place.backupId, manifest);
    return manifest;
  }

  async readManifest({ backupId }: BackupPlace): Promise<BackupManifest> {
    return this.#manifest(backupId);
  }

  async restore(
    { place, target, doneBytes, skipsDamaged }: RestoreOrder,
    watch: RestoreWatch,
  ): Promise<RestoreOutcome> {
    watch.signal.throwIfAborted();
    const { head, bytes, packs } = this.#manifest(place.backupId);
    const isRotten = packs.some(({ name }) => this.rotten.has(name));
    if (isRotten && !skipsDamaged) throw new BackupDamaged('The chunk at 1 MiB is damaged.');
    if (doneBytes === 0) {
      const file = await open(target.uri.slice('file:'.length), 'r+');
      await file.write(head, 0, head.length, 0).finally(() => file.close());
      watch.done(bytes / 2);
      await new Promise(setImmediate);
    }
    watch.done(bytes);
    return isRotten ? { missingBytes: MIB, missing: [{ at: MIB, bytes: MIB }] } : { missingBytes: 0, missing: [] };
  }

  async describeCinder({ name }: CinderPlace): Promise<CinderBackup | null> {
    return this.cinder.get(name) ?? null;
  }

  async restoreCinder({ place, target }: CinderRestoreOrder, watch: RestoreWatch): Promise<void> {
    watch.signal.throwIfAborted();
    const { head } = this.cinder.get(place.name) ?? assertThere(place.name);
    const file = await open(target.uri.slice('file:'.length), 'r+');
    await file.write(head, 0, head.length, 0).finally(() => file.close());
    watch.done(target.bytes);
  }

  async content(): Promise<never> {
    throw new Error('No proof reads the content of a backup.');
  }

  async verify(order: VerifyOrder, watch: VerifyWatch): Promise<VerifyOutcome> {
    const { backupIds, others = [], after = null, budgetBytes = null, depth, damaged = [] } = order;
    watch.signal.throwIfAborted();
    const packsOf = (id: string): string[] => this.manifests.get(id)?.packs.map(({ name }) => name) ?? [];
    const bad = new Map(damaged.map((pack) => [pack, 'It is damaged.']));
    let readBytes = 0;
    let ended = true;
    for (const pack of [...new Set(backupIds.flatMap(packsOf))].sort()) {
      if ((after !== null && pack <= after) || bad.has(pack)) continue;
      ended = budgetBytes === null || readBytes < budgetBytes;
      if (!ended) break;
      if (depth !== 'present') readBytes += HEAD;
      const what = !this.packs.has(pack) ? 'It is not there.' : this.rotten.has(pack) ? 'It has been changed.' : null;
      if (what !== null && (depth !== 'present' || !this.packs.has(pack))) bad.set(pack, what);
      watch.looked({ pack, what: bad.get(pack) ?? null });
      await new Promise(setImmediate);
      watch.signal.throwIfAborted();
    }
    const lost = backupIds.filter((id) => !this.manifests.has(id));
    const damage = [...backupIds, ...others].flatMap((backupId) =>
      packsOf(backupId)
        .filter((pack) => bad.has(pack))
        .map((pack) => ({ backupId, pack, what: bad.get(pack) ?? '', ranges: [{ at: MIB, bytes: MIB }] })),
    );
    const manifests = lost.map((backupId) => ({ backupId, pack: null, what: 'It is not there.', ranges: [] }));
    return { damage: [...manifests, ...damage], ended, readBytes };
  }

  async mend({ place, sources, damaged, name, attempt }: MendOrder, keep: (packs: string[]) => Promise<void>) {
    const manifest = this.#manifest(place.backupId);
    const others = sources.flatMap((id) => this.manifests.get(id)?.packs ?? []);
    const isWell = ({ name }: ListedPack): boolean => !damaged.includes(name);
    const found = others.filter(isWell);
    if (manifest.packs.every(isWell) || found.length === 0) return manifest;
    const tables = `${name}/${attempt}-0`;
    this.packs.add(tables);
    const packs = [...manifest.packs.filter(isWell), ...found, { name: tables, bytes: HEAD, sha256: '' }];
    const unique = packs.filter((pack, index) => packs.findIndex((each) => each.name === pack.name) === index);
    await keep(unique.map((pack) => pack.name));
    const mended = { ...manifest, packs: unique };
    this.manifests.set(place.backupId, mended);
    return mended;
  }

  async deleteManifest({ backupId }: BackupPlace): Promise<void> {
    this.manifests.delete(backupId);
  }

  async deletePacks(_scope: BackupScope, packs: readonly string[]): Promise<void> {
    for (const pack of packs) this.packs.delete(pack);
  }

  async deleteUnrecorded({ backupId }: BackupPlace, attempts: number, bites: readonly Bite[]): Promise<void> {
    const recorded = new Set(bites.map(({ pack }) => pack));
    for (const pack of this.packs) {
      const [, attempt = 0] = new RegExp(`^${backupId}/(\\d+)-`).exec(pack) ?? [];
      if (Number(attempt) > 0 && Number(attempt) <= attempts && !recorded.has(pack)) this.packs.delete(pack);
    }
  }

  async listed(): Promise<StoreListing> {
    throw new Error('No proof lists the store.');
  }

  async freeBytes(): Promise<null> {
    return null;
  }

  #manifest(backupId: string) {
    const manifest = this.manifests.get(backupId);
    if (manifest === undefined) throw new BackupMissing(`Backup ${backupId} is not in the store.`);
    return manifest;
  }
}

function assertThere(name: string): never {
  throw new BackupMissing(`${name} is not in the store.`);
}

async function headOf(uri: string): Promise<Buffer> {
  const file = await open(uri.slice('file:'.length), 'r');
  try {
    return (await file.read(Buffer.alloc(HEAD), 0, HEAD, 0)).buffer;
  } finally {
    await file.close();
  }
}
