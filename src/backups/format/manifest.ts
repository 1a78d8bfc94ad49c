/**
 * The manifest, the root of a backup's hash tree (Merkle tree): its segments, and all packs that it needs. What a volume holds is said by
 * one digest, that of its size and of what its segments hold: two backups with the same are the same bytes, wherever these are stored.
 */
import type { Timestamp } from '../../lib/clock.ts';
import type { Json } from '../../lib/json.ts';
import { BackupDamaged } from '../../model/errors.ts';
import type { BackupManifest, ListedPack } from '../backups.ts';
import { decodeDocument, encodeDocument, FORMAT } from './document.ts';
import type { RecordRef } from './record.ts';
import type { Sealing } from './sealing.ts';
import { sha256 } from './sealing.ts';
import { CHUNK_BYTES, chunkFromJson, chunksIn, chunksToJson, segmentsOf, ZEROES_ID } from './segment.ts';

export interface StoredSegment {
  /** What its chunks hold (`contentOf`). */
  readonly content: string;
  readonly record: RecordRef;
  /** The names of packs that its chunks need. */
  readonly packs: readonly string[];
}

export interface Manifest extends BackupManifest {
  readonly scope: string;
  /** Null: all zeroes. */
  readonly segments: readonly (StoredSegment | null)[];
}

export type ManifestFacts = Pick<Manifest, 'backupId' | 'scope' | 'bytes' | 'segments' | 'createdAt' | 'metadata'>;

/** `known`: of at least all packs that are needed. Listed are those that are. */
export function manifestOf(facts: ManifestFacts, known: ReadonlyMap<string, ListedPack>): Manifest {
  const needed = new Set(facts.segments.flatMap((each) => (each === null ? [] : [each.record.pack, ...each.packs])));
  const packs = [...needed].map((name) => {
    const pack = known.get(name);
    if (pack === undefined) throw new BackupDamaged(`Pack ${name} is needed, and is not known.`);
    return pack;
  });
  return { ...facts, packs, root: rootOf(facts.bytes, facts.segments) };
}

export function rootOf(bytes: number, segments: readonly (Pick<StoredSegment, 'content'> | null)[]): string {
  const chunks = bytes / CHUNK_BYTES;
  const contents = segments.map((each, index) => each?.content ?? zeroesOf(chunksIn(index, chunks)));
  return sha256(Buffer.from(`${bytes}\n${contents.join('\n')}\n`));
}

const zeroesOf = (chunks: number): string => sha256(Buffer.from(ZEROES_ID.repeat(chunks), 'hex'));

const manifestOfBackup = (backupId: string): string => `manifest of ${backupId}`;

/** The same bytes for the same manifest. */
export function encodeManifest(sealing: Sealing, manifest: Manifest): Buffer {
  const { backupId, scope, bytes, root, createdAt, metadata, packs, segments } = manifest;
  const names = packs.map(({ name }) => name);
  const numbers = new Map(names.map((name, index) => [name, index]));
  return encodeDocument(sealing, manifestOfBackup(backupId), {
    format: FORMAT,
    backup: backupId,
    scope,
    bytes,
    root,
    created_at: createdAt,
    metadata,
    packs: packs.map(({ name, bytes: size, sha256: digest }): Json => ({ name, bytes: size, sha256: digest })),
    segments: segments.map((each): Json => {
      if (each === null) return null;
      const record = chunksToJson([each.record], names)[0] ?? null;
      return { content: each.content, record, packs: each.packs.map((name) => numbers.get(name) as number) };
    }),
  });
}

type SegmentJson = { readonly content: string; readonly record: Json; readonly packs: readonly number[] } | null;

/** Throws `BackupDamaged`, `BackupFormatTooNew`. */
export function decodeManifest(sealing: Sealing, backupId: string, document: Buffer): Manifest {
  const json = decodeDocument(sealing, manifestOfBackup(backupId), document);
  const packs = json.packs as unknown as ListedPack[];
  const names = packs.map(({ name }) => name);
  const segments = (json.segments as unknown as SegmentJson[]).map((each): StoredSegment | null => {
    if (each === null) return null;
    const record = chunkFromJson(each.record, names) as RecordRef;
    return { content: each.content, record, packs: each.packs.map((index) => names[index] as string) };
  });
  const bytes = json.bytes as number;
  const root = rootOf(bytes, segments);
  if (json.backup !== backupId) throw new BackupDamaged('It is the manifest of another backup.');
  if (root !== json.root || segments.length !== segmentsOf(bytes / CHUNK_BYTES))
    throw new BackupDamaged('It names other segments than it should.');
  return {
    backupId,
    scope: json.scope as string,
    bytes,
    root,
    packs,
    segments,
    createdAt: json.created_at as Timestamp,
    metadata: json.metadata as Json,
  };
}
