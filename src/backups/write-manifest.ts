/**
 * The manifest of a backup, made of its parent's and of the trailers of its own packs: a segment that no trailer tells of is the
 * parent's, or zeroes where the parent has none of so many chunks.
 *
 * Only those trailers are read that can tell of a segment, and of the volume's table only what is new.
 */
import { BackupFailed } from '../model/errors.ts';
import { ahead } from './ahead.ts';
import type { Bite, ListedPack, ManifestOrder } from './backups.ts';
import { standing } from './bites.ts';
import { encodeManifest, type Manifest, manifestOf, type StoredSegment } from './format/manifest.ts';
import { manifestFile } from './format/names.ts';
import type { RecordRef } from './format/record.ts';
import {
  CHUNK_BYTES,
  chunksIn,
  contentOf,
  decodeSegment,
  packsOf,
  SEGMENT_CHUNKS,
  segmentsOf,
} from './format/segment.ts';
import { readManifest, readRecord, readTrailer } from './read.ts';
import type { OpenScope } from './scope.ts';

const READS_AT_ONCE = 8;

export async function writeManifest(scope: OpenScope, order: ManifestOrder, signal: AbortSignal): Promise<Manifest> {
  const { place, parentId, bytes, earlier = [], createdAt, metadata } = order;
  const bites = standing(order.bites);
  const parent = parentId === null ? null : await readManifest(scope, parentId, signal);
  const chunks = bytes / CHUNK_BYTES;
  const segments = inherited(parent, chunks);
  for (const [index, record] of await told(scope, bites, chunks, signal)) {
    if (index >= segments.length)
      throw new BackupFailed(`A pack tells of MiB ${index * SEGMENT_CHUNKS}, past the end.`);
    segments[index] = record === null ? null : await segmentAt(scope, record, chunksIn(index, chunks), signal);
  }
  const known = new Map<string, ListedPack>(parent?.packs.map((pack) => [pack.name, pack]));
  for (const { pack: name, bytes: size, sha256 } of [...earlier, ...bites])
    known.set(name, { name, bytes: size, sha256 });
  const facts = { backupId: place.backupId, scope: scope.name, bytes, segments, createdAt, metadata };
  const manifest = manifestOf(facts, known);
  await scope.store.put(manifestFile(scope.name, place.backupId), encodeManifest(scope.sealing, manifest), signal);
  return manifest;
}

function inherited(parent: Manifest | null, chunks: number): (StoredSegment | null)[] {
  return Array.from({ length: segmentsOf(chunks) }, (_, index) => {
    if (parent === null || index >= parent.segments.length) return null;
    const isAsLong = chunksIn(index, parent.bytes / CHUNK_BYTES) === chunksIn(index, chunks);
    return isAsLong ? (parent.segments[index] ?? null) : null;
  });
}

async function told(
  scope: OpenScope,
  bites: readonly Bite[],
  chunks: number,
  signal: AbortSignal,
): Promise<readonly (readonly [number, RecordRef | null])[]> {
  const all: (readonly [number, RecordRef | null])[] = [];
  const telling = bites.filter((bite) => holdsAnEnd(bite, chunks));
  for await (const trailer of ahead(telling, READS_AT_ONCE, (bite) => readTrailer(scope, bite, signal)))
    all.push(...trailer.segments);
  return all;
}

/** Whether the last chunk of a segment is among those of a bite. */
function holdsAnEnd({ first, chunks }: Bite, all: number): boolean {
  const end = first + chunks;
  return end === all || Math.floor(end / SEGMENT_CHUNKS) > Math.floor(first / SEGMENT_CHUNKS);
}

async function segmentAt(
  scope: OpenScope,
  record: RecordRef,
  count: number,
  signal: AbortSignal,
): Promise<StoredSegment> {
  const chunks = decodeSegment(await readRecord(scope, record, signal), count);
  return { content: contentOf(chunks), record, packs: packsOf(chunks) };
}
