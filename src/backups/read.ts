/** What is read of a scope: manifests, segments, trailers and records, each only as it was written. */
import { BackupDamaged, BackupFormatTooNew, BackupMissing } from '../model/errors.ts';
import type { Bite } from './backups.ts';
import { documentBytes, TAIL_BYTES } from './format/document.ts';
import { decodeManifest, type Manifest } from './format/manifest.ts';
import { manifestFile, packFile } from './format/names.ts';
import { decodeRecord, type RecordRef } from './format/record.ts';
import { CHUNK_BYTES, type Chunk, chunksIn, decodeSegment } from './format/segment.ts';
import { decodeTrailer, type Trailer } from './format/trailer.ts';
import type { OpenScope } from './scope.ts';

/** What most trailers fit in: one journey to the store. */
const LIKELY_TRAILER_BYTES = 64 * 1024;

/** Rejects with `BackupMissing`, `BackupDamaged`, `BackupFormatTooNew`. */
export async function readManifest({ store, name, sealing }: OpenScope, backupId: string, signal: AbortSignal) {
  const file = manifestFile(name, backupId);
  const bytes = await store.get(file, signal).catch((error: unknown) => {
    if (error instanceof BackupMissing) throw new BackupMissing(`There is no ${file}.`, { cause: error });
    throw error;
  });
  return named(file, () => decodeManifest(sealing, backupId, bytes));
}

export async function readRecord({ store, name, sealing }: OpenScope, ref: RecordRef, signal: AbortSignal) {
  const file = packFile(name, ref.pack);
  const body = await store.get(file, signal, ref);
  return named(`${file} at ${ref.at}`, () => decodeRecord(sealing, ref, body));
}

/** What the chunks of a segment are, as many as it has in this volume. */
export async function readSegment(scope: OpenScope, manifest: Manifest, index: number, signal: AbortSignal) {
  const count = chunksIn(index, manifest.bytes / CHUNK_BYTES);
  const segment = manifest.segments[index];
  if (segment == null) return Array.from({ length: count }, (): Chunk => null);
  return decodeSegment(await readRecord(scope, segment.record, signal), count);
}

export async function readTrailer(
  { store, name, sealing }: OpenScope,
  { pack, bytes }: Pick<Bite, 'pack' | 'bytes'>,
  signal: AbortSignal,
): Promise<Trailer> {
  const file = packFile(name, pack);
  const last = (wanted: number) => {
    const size = Math.min(wanted, bytes);
    return store.get(file, signal, { at: bytes - size, bytes: size });
  };
  let end = await last(LIKELY_TRAILER_BYTES);
  const length = named(file, () => documentBytes(end.subarray(-TAIL_BYTES)));
  if (length > end.length) end = await last(length);
  return named(file, () => decodeTrailer(sealing, pack, end));
}

/** Says of what is damaged which it is. */
export function named<Result>(what: string, body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    if (error instanceof BackupDamaged) throw new BackupDamaged(`${what}: ${error.message}`, { cause: error.cause });
    if (error instanceof BackupFormatTooNew) throw new BackupFormatTooNew(`${what}: ${error.message}`);
    throw error;
  }
}
