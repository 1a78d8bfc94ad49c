/**
 * What a backup of a real Cinder holds, as a stream of bytes from the first to the last: the full backup with its increments laid over it, zeroes
 * included. Cinder from 23.0.0 on leaves those out when it restores to a new volume, and gives old data back.
 *
 * Each object is read in parts, once, and its MD5 compared when all of it has been read, which Cinder never does: so what is handed out is wrong only when
 * the stream ends with `BackupDamaged`. A backup keeps a few MiB in memory, whatever the size of its objects.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflate, createZstdDecompress } from 'node:zlib';
import type { Content } from '../../lib/file-content.ts';
import { BackupDamaged, BackupFailed, BackupMissing } from '../../model/errors.ts';
import type { BackupStore } from '../stores/store.ts';
import {
  type CinderMetadata,
  type CinderObject,
  cinderName,
  ownContainer,
  readCinderMetadata,
} from './cinder-metadata.ts';
import { type CinderPiece, laidOver } from './layers.ts';

const READ_BYTES = 4 * 1024 ** 2;

/** `name`: of its metadata, `PREFIX_metadata`, below its container. Rejects with an error of backups. */
export async function contentOfCinder(store: BackupStore, name: string, signal: AbortSignal): Promise<Content> {
  const chain = await chainOf(store, name, signal);
  const layers = chain.map(({ objects }) => objects);
  const pieces = laidOver(layers);
  let bytes = 0;
  for (const piece of pieces) {
    if (piece.at !== bytes) throw new BackupDamaged(`No object of ${name} says what lies from byte ${bytes} on.`);
    bytes += piece.bytes;
  }
  const { at = 0, bytes: length = 0 } = layers[0]?.at(-1) ?? {};
  if (bytes !== at + length) throw new BackupDamaged(`${name} holds more than the full backup that it goes back to.`);
  return { bytes, read: (reading) => read(store, pieces, reading) };
}

/** The full backup first. */
async function chainOf(store: BackupStore, name: string, signal: AbortSignal): Promise<readonly CinderMetadata[]> {
  const chain: CinderMetadata[] = [];
  for (let next: string | undefined = name; next !== undefined; ) {
    const metadata = readCinderMetadata(next, (await store.get(next, signal)).toString());
    const [child] = chain;
    if (child !== undefined && child.volumeId !== metadata.volumeId)
      throw new BackupDamaged(`${next} is of another volume than what is an increment to it.`);
    if (chain.some(({ backupId }) => backupId === metadata.backupId))
      throw new BackupDamaged(`${next} is an increment to itself.`);
    chain.unshift(metadata);
    next =
      metadata.parentId === null ? undefined : await find(store, metadata.parentId, next, metadata.volumeId, signal);
  }
  return chain;
}

/** The metadata of a parent: in a container of its own, or in its child's. Its name says when it was made, so it is looked for in a list. */
async function find(
  store: BackupStore,
  id: string,
  child: string,
  volumeId: string,
  signal: AbortSignal,
): Promise<string> {
  const container = cinderName(child)?.container ?? '';
  for (const prefix of [ownContainer(id), `${container}volume_${volumeId}`])
    for await (const { name } of store.list(prefix, signal)) if (cinderName(name)?.id === id) return name;
  throw new BackupMissing(`${child} is an increment to backup ${id}, which is not in the store.`);
}

async function* read(store: BackupStore, pieces: readonly CinderPiece[], signal: AbortSignal): AsyncGenerator<Buffer> {
  /** Of each layer the object that was read last, which may have more to tell further on. */
  const open = new Map<number, ObjectReader>();
  try {
    for (const { at, bytes, object, layer } of pieces) {
      let reader = open.get(layer);
      if (reader?.object !== object) {
        await reader?.end();
        reader = new ObjectReader(store, object, signal);
        open.set(layer, reader);
      }
      yield* reader.read(at - object.at, bytes);
    }
    for (const reader of open.values()) await reader.end();
  } finally {
    for (const reader of open.values()) await reader.close();
  }
}

/** The plain bytes of an object, forward. */
class ObjectReader {
  readonly object: CinderObject;
  readonly #pieces: AsyncGenerator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(store: BackupStore, object: CinderObject, signal: AbortSignal) {
    this.object = object;
    this.#pieces = plainBytes(store, object, signal);
  }

  /** `from`: within the object, not before what was read. */
  async *read(from: number, bytes: number): AsyncGenerator<Buffer> {
    for (const end = from + bytes; this.#at < end; ) {
      if (this.#rest.length === 0) {
        const next = await this.#pieces.next();
        if (next.done) throw damaged(this.object, 'it ends too soon');
        this.#rest = next.value;
      }
      const skips = this.#at < from;
      const taken = this.#rest.subarray(0, (skips ? from : end) - this.#at);
      this.#rest = this.#rest.subarray(taken.length);
      this.#at += taken.length;
      if (!skips) yield taken;
    }
  }

  /** Rejects with `BackupDamaged` when it is not what was stored. */
  async end(): Promise<void> {
    for await (const _ of this.#pieces);
  }

  async close(): Promise<void> {
    await this.#pieces.return(undefined);
  }
}

/** Ends only when all of them are what they were. */
async function* plainBytes(store: BackupStore, object: CinderObject, signal: AbortSignal): AsyncGenerator<Buffer> {
  const md5 = createHash('md5');
  let bytes = 0;
  for await (const piece of unpacked(store, object, signal)) {
    bytes += piece.length;
    if (bytes > object.bytes) throw damaged(object, `it has more than ${object.bytes} bytes`);
    md5.update(piece);
    yield piece;
  }
  if (bytes !== object.bytes) throw damaged(object, `it has ${bytes} bytes of ${object.bytes}`);
  if (md5.digest('hex') !== object.md5) throw damaged(object, 'its MD5 is another than when it was stored');
}

async function* unpacked(store: BackupStore, object: CinderObject, signal: AbortSignal): AsyncGenerator<Buffer> {
  const stored = storedBytes(store, object, signal);
  if (object.compression === 'none') return yield* stored;
  const unpack = object.compression === 'zlib' ? createInflate() : createZstdDecompress();
  const fed = pipeline(Readable.from(stored), unpack);
  // It is heard below, by who reads.
  fed.catch(() => {});
  try {
    yield* unpack as AsyncIterable<Buffer>;
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof BackupFailed ? error : damaged(object, 'it cannot be decompressed', error);
  }
}

async function* storedBytes(store: BackupStore, { name }: CinderObject, signal: AbortSignal): AsyncGenerator<Buffer> {
  const bytes = await store.head(name, signal);
  if (bytes === null) throw new BackupMissing(`${name} is not in the store.`);
  for (let at = 0; at < bytes; at += READ_BYTES)
    yield await store.get(name, signal, { at, bytes: Math.min(READ_BYTES, bytes - at) });
}

const damaged = ({ name }: CinderObject, what: string, cause?: unknown): BackupDamaged =>
  new BackupDamaged(`${name} is damaged: ${what}.`, { cause });
