/**
 * A backup in a directory, read by what `docs/backup-format.md` says and by nothing of ours: slow, whole, and only without encryption.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';

interface Ref {
  readonly id: string;
  readonly pack: number;
  readonly at: number;
  readonly bytes: number;
  readonly raw?: true;
}
type Chunk = null | Ref | { id: string; over: Ref; pages: Ref; bitmap: string };

const CHUNK = 1024 ** 2;
const PAGE = 4096;

export interface PlainBackup {
  readonly bytes: Buffer;
  /** Names of the packs that it lists. */
  readonly packs: readonly string[];
  readonly root: string;
  /** How its chunks are stored. */
  readonly chunks: { readonly zero: number; readonly whole: number; readonly paged: number };
}

export function readPlainly(store: string, scope: string, backup: string): PlainBackup {
  const folder = join(store, 'scopes', scope);
  const manifest = document(readFileSync(join(folder, 'manifests', backup)));
  const listed = manifest.packs as { name: string; bytes: number; sha256: string }[];
  const content = new Map(listed.map(({ name }) => [name, readFileSync(join(folder, 'packs', name))]));
  for (const { name, bytes, sha256 } of listed) {
    const pack = content.get(name) as Buffer;
    if (pack.length !== bytes || digest(pack) !== sha256) throw new Error(`${name} is not what the manifest lists.`);
  }
  const record = (ref: Ref, packs: readonly string[]): Buffer => {
    const stored = (content.get(packs[ref.pack] as string) as Buffer).subarray(ref.at, ref.at + ref.bytes);
    const plain = ref.raw ? stored : zstdDecompressSync(stored);
    if (digest(plain) !== ref.id) throw new Error(`The record at ${ref.at} is not what it should be.`);
    return plain;
  };
  const bytes = Buffer.alloc(manifest.bytes as number);
  const chunks = { zero: 0, whole: 0, paged: 0 };
  const segments = manifest.segments as (null | { record: Ref })[];
  for (const [index, segment] of segments.entries()) {
    const names = listed.map(({ name }) => name);
    const { packs, chunks: all } =
      segment === null
        ? { packs: [], chunks: [] }
        : (JSON.parse(record(segment.record, names).toString()) as { packs: string[]; chunks: Chunk[] });
    for (const [place, chunk] of all.entries()) {
      if (chunk === null) {
        chunks.zero += 1;
        continue;
      }
      const plain = Buffer.from(record('over' in chunk ? chunk.over : chunk, packs));
      if ('over' in chunk) lay(record(chunk.pages, packs), Buffer.from(chunk.bitmap, 'hex'), plain);
      if (digest(plain) !== chunk.id) throw new Error(`Chunk ${place} is not what it should be.`);
      chunks['over' in chunk ? 'paged' : 'whole'] += 1;
      plain.copy(bytes, (index * 4096 + place) * CHUNK);
    }
  }
  return { bytes, packs: listed.map(({ name }) => name), root: manifest.root as string, chunks };
}

/** All packs that lie in a scope, by their names. */
export function packsThere(store: string, scope: string): string[] {
  const folder = join(store, 'scopes', scope, 'packs');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((backup) => readdirSync(join(folder, backup)).map((name) => `${backup}/${name}`));
}

function document(file: Buffer): Record<string, unknown> {
  const tail = file.subarray(-44);
  if (tail.subarray(36).toString() !== 'PUMICE1\n') throw new Error('It does not end as it should.');
  const body = file.subarray(-44 - tail.readUInt32LE(32), -44);
  if (digest(body) !== tail.toString('hex', 0, 32)) throw new Error('It has been changed.');
  return JSON.parse(zstdDecompressSync(body).toString());
}

function lay(pages: Buffer, bitmap: Buffer, over: Buffer): void {
  let from = 0;
  for (let page = 0; page < 256; page += 1) {
    if (((bitmap[page >> 3] as number) & (0x80 >> (page & 7))) === 0) continue;
    pages.copy(over, page * PAGE, from, from + PAGE);
    from += PAGE;
  }
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
