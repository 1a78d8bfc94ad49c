/**
 * Packs, filled and sent: while one is on its way, the next is filled in the other of two buffers. They are sent one after the other, and
 * a bite is told when its pack is in the store with its whole length.
 */
import { BackupFailed } from '../../model/errors.ts';
import type { Bite } from '../backups.ts';
import { packFile, packOf } from '../format/names.ts';
import { type FilledPack, PackBuffer } from '../format/pack.ts';
import type { RecordRef } from '../format/record.ts';
import { CHUNK_BYTES, type Chunk } from '../format/segment.ts';
import type { OpenScope } from '../scope.ts';

/** Of what a trailer tells: more would take longer to read than its pack. */
const MOST_CHANGES = 4096;

export interface PackerOptions {
  readonly scope: OpenScope;
  readonly backupId: string;
  readonly attempt: number;
  readonly signal: AbortSignal;
  /** The pack is durable. */
  bite(bite: Bite): void;
}

export class Packer {
  readonly #options: PackerOptions;
  #filling: PackBuffer;
  #other: PackBuffer;
  #number = 0;
  /** Of the chunks that the next bite tells. */
  #first = 0;
  #readsAll = false;
  #changes: (readonly [number, Chunk])[] = [];
  #segments: (readonly [number, RecordRef | null])[] = [];
  #sending: Promise<void> = Promise.resolve();
  storedBytes = 0;

  constructor(options: PackerOptions) {
    this.#options = options;
    const { sealing, store } = options.scope;
    this.#filling = new PackBuffer(sealing, store.packBytes);
    this.#other = new PackBuffer(sealing, store.packBytes);
  }

  /** From this chunk on: nothing that was added before and not sent counts. */
  begin(chunk: number, { readsAll }: { readonly readsAll: boolean }): void {
    this.#readsAll = readsAll;
    this.#first = chunk;
    this.#changes = [];
    this.#segments = [];
    this.#filling.begin(this.#name());
  }

  /** The chunk at `index` comes next; all before it are done. */
  async reach(index: number): Promise<void> {
    if (this.#changes.length < MOST_CHANGES && this.#filling.hasRoomFor(CHUNK_BYTES)) return;
    await this.#close(index);
  }

  add(plain: Buffer, id?: string): RecordRef {
    return this.#filling.add(plain, id);
  }

  tellChange(index: number, chunk: Chunk): void {
    this.#changes.push([index, chunk]);
  }

  tellSegment(index: number, record: RecordRef | null): void {
    this.#segments.push([index, record]);
  }

  /** All chunks are done: resolves when what there is to tell has been told. */
  async finish(chunks: number): Promise<void> {
    if (this.#changes.length > 0 || this.#segments.length > 0) await this.#close(chunks);
    await this.#sending;
  }

  /** What is on its way has arrived or failed, and uses nothing any more. */
  async settle(): Promise<void> {
    await this.#sending.catch(() => {});
  }

  async #close(next: number): Promise<void> {
    const pack = this.#filling.close({
      readsAll: this.#readsAll,
      changes: this.#changes,
      segments: this.#segments,
    });
    const [first, chunks] = [this.#first, next - this.#first];
    await this.#sending;
    this.#sending = this.#send(pack, first, chunks);
    // It is waited for later.
    this.#sending.catch(() => {});
    [this.#filling, this.#other] = [this.#other, this.#filling];
    this.#number += 1;
    this.begin(next, { readsAll: this.#readsAll });
  }

  async #send({ name, body, sha256 }: FilledPack, first: number, chunks: number): Promise<void> {
    const { scope, signal, bite } = this.#options;
    const file = packFile(scope.name, name);
    await scope.store.put(file, body, signal);
    const there = await scope.store.head(file, signal);
    if (there !== body.length) throw new BackupFailed(`${file} has ${there ?? 'no'} bytes in place of ${body.length}.`);
    this.storedBytes += body.length;
    bite({ pack: name, first, chunks, bytes: body.length, sha256 });
  }

  #name(): string {
    return packOf(this.#options.backupId, this.#options.attempt, this.#number);
  }
}
