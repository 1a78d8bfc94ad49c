/**
 * A backup that is made of damaged packs, made anew of what other backups of its scope have stored of the same: a chunk has the same id wherever it lies,
 * so what the volume held stays the same, and so does the root.
 *
 * Tables that change are stored in packs of their own, under a name that nobody has used, and the manifest is replaced last. Before that whoever keeps the
 * books is told what it will list, so that nobody takes away meanwhile what is not listed yet. What cannot be found elsewhere stays as
 * it is; where nothing can, nothing is written.
 */
import { BackupDamaged, BackupFailed, BackupMissing } from '../model/errors.ts';
import type { BackupManifest, ListedPack, MendOrder } from './backups.ts';
import { isTouched } from './copy/lost.ts';
import { encodeManifest, type Manifest, manifestOf, type StoredSegment } from './format/manifest.ts';
import { manifestFile, packFile, packOf } from './format/names.ts';
import { PackBuffer } from './format/pack.ts';
import type { RecordRef } from './format/record.ts';
import { CHUNK_BYTES, type Chunk, chunksIn, contentOf, encodeSegment, packsOf, recordsOf } from './format/segment.ts';
import { readManifest, readSegment } from './read.ts';
import type { OpenScope } from './scope.ts';

/** `keep`: told the names of all packs that the manifest will list, before it does. */
export async function mend(
  scope: OpenScope,
  { place: { backupId }, sources, damaged, name, attempt }: MendOrder,
  keep: (packs: readonly string[]) => Promise<void>,
  signal: AbortSignal,
): Promise<BackupManifest> {
  const bad = new Set(damaged);
  const manifest = await readManifest(scope, backupId, signal);
  const others: Manifest[] = [];
  for (const source of sources) {
    const other = await unlessDamaged(readManifest(scope, source, signal));
    if (other !== undefined) others.push(other);
  }
  const tables = new Tables(scope, (number) => packOf(name, attempt, number), signal);
  const segments = [...manifest.segments];
  for (const [index, segment] of segments.entries())
    if (segment !== null && isTouched(segment, bad))
      segments[index] = await mended({ scope, manifest, others, bad, tables, signal }, index, segment);
  if (segments.every((segment, index) => segment === manifest.segments[index])) return manifest;
  const known = [manifest, ...others].flatMap(({ packs }) => packs.map((pack) => [pack.name, pack] as const));
  for (const pack of await tables.finish()) known.push([pack.name, pack]);
  const whole = manifestOf({ ...manifest, segments }, new Map(known));
  if (whole.root !== manifest.root) throw new BackupFailed(`What backup ${backupId} holds would be something else.`);
  await keep(whole.packs.map((pack) => pack.name));
  await scope.store.put(manifestFile(scope.name, backupId), encodeManifest(scope.sealing, whole), signal);
  return whole;
}

interface Mending {
  readonly scope: OpenScope;
  readonly manifest: Manifest;
  readonly others: readonly Manifest[];
  readonly bad: ReadonlySet<string>;
  readonly tables: Tables;
  readonly signal: AbortSignal;
}

async function mended(mending: Mending, index: number, segment: StoredSegment): Promise<StoredSegment> {
  const { scope, manifest, others, bad, tables, signal } = mending;
  for (const { segments } of others) {
    const same = segments[index];
    if (same != null && same.content === segment.content && !isTouched(same, bad)) return same;
  }
  const chunks = await unlessDamaged(readSegment(scope, manifest, index, signal));
  if (chunks === undefined) return segment;
  const isLost = (chunk: Chunk): boolean => recordsOf(chunk).some(({ pack }) => bad.has(pack));
  const count = chunks.filter(isLost).length;
  const found = count > 0 ? await elsewhere(mending, index, new Set(chunks.filter(isLost).map(idOf))) : new Map();
  if (found.size === 0 && !bad.has(segment.record.pack)) return segment;
  const whole = chunks.map((chunk) => (isLost(chunk) ? (found.get(idOf(chunk)) ?? chunk) : chunk));
  return { content: contentOf(whole), record: await tables.add(encodeSegment(whole)), packs: packsOf(whole) };
}

/** Where others have chunks of these ids, in the same part of the volume. */
async function elsewhere(
  { scope, others, bad, signal }: Mending,
  index: number,
  ids: ReadonlySet<string>,
): Promise<ReadonlyMap<string, Chunk>> {
  const found = new Map<string, Chunk>();
  for (const other of others) {
    if (found.size === ids.size) break;
    const count = index < other.segments.length ? chunksIn(index, other.bytes / CHUNK_BYTES) : 0;
    const chunks = count > 0 ? await unlessDamaged(readSegment(scope, other, index, signal)) : undefined;
    for (const chunk of chunks ?? [])
      if (chunk !== null && ids.has(chunk.id) && !recordsOf(chunk).some(({ pack }) => bad.has(pack)))
        found.set(chunk.id, chunk);
  }
  return found;
}

const idOf = (chunk: Chunk): string => chunk?.id ?? '';

async function unlessDamaged<Result>(reading: Promise<Result>): Promise<Result | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof BackupDamaged || error instanceof BackupMissing) return undefined;
    throw error;
  }
}

/** Packs with nothing but tables of segments. */
class Tables {
  readonly #scope: OpenScope;
  readonly #nameOf: (number: number) => string;
  readonly #signal: AbortSignal;
  readonly #stored: ListedPack[] = [];
  #filling: PackBuffer | undefined;

  constructor(scope: OpenScope, nameOf: (number: number) => string, signal: AbortSignal) {
    this.#scope = scope;
    this.#nameOf = nameOf;
    this.#signal = signal;
  }

  async add(plain: Buffer): Promise<RecordRef> {
    if (this.#filling?.hasRoomFor(plain.length) === false) await this.#store();
    if (this.#filling === undefined) {
      this.#filling = new PackBuffer(this.#scope.sealing, this.#scope.store.packBytes);
      this.#filling.begin(this.#nameOf(this.#stored.length));
    }
    return this.#filling.add(plain);
  }

  async finish(): Promise<readonly ListedPack[]> {
    await this.#store();
    return this.#stored;
  }

  async #store(): Promise<void> {
    if (this.#filling === undefined) return;
    const { name, body, sha256 } = this.#filling.close({ readsAll: true, changes: [], segments: [] });
    await this.#scope.store.put(packFile(this.#scope.name, name), body, this.#signal);
    this.#stored.push({ name, bytes: body.length, sha256 });
    this.#filling = undefined;
  }
}
