/**
 * qcow2, versions 2 and 3 (QEMU's docs/interop/qcow2.txt). Numbers are big-endian.
 *
 * Refused: a backing file, an external data file, encryption, a mark of corruption, and any incompatible feature that is not
 * known here. Snapshots inside the file are not read, but must lie in it; so must all that counts references.
 *
 * The file of an image may end inside its last cluster: where the disk ends there, and after its top table. Anything else that
 * reaches beyond the end is lost. Compressed data is told in sectors; whether the last of them was only not filled up is seen
 * by unpacking it.
 */
import { inflateRawSync, zstdDecompressSync } from 'node:zlib';
import { BadImage, type ImageBytes, type ImageLayout, type Stretch, Stretches, safe } from './image-bytes.ts';

const MAGIC = Buffer.from('QFI\xfb', 'latin1');
const V2_HEADER_BYTES = 72;
const V3_HEADER_BYTES = 104;

/** QEMU's own limits. */
const TOP_TABLE_LIMIT = 32 * 1024 ** 2;
const REFERENCE_TABLE_LIMIT = 8 * 1024 ** 2;
const SNAPSHOTS_LIMIT = 65_536;
const SNAPSHOT_EXTRA_LIMIT = 1024;

const DIRTY = 1n << 0n;
const CORRUPT = 1n << 1n;
const EXTERNAL_DATA = 1n << 2n;
const COMPRESSION_TYPE = 1n << 3n;
const EXTENDED_ENTRIES = 1n << 4n;

const ENCRYPTION_EXTENSION = 0x0537be77;
const DATA_FILE_EXTENSION = 0x44415441;

const SECTOR = 512;
const SUBCLUSTERS = 32;

interface Header {
  readonly clusterBits: number;
  readonly clusterBytes: number;
  readonly virtualBytes: number;
  readonly topTable: { readonly at: number; readonly entries: number };
  readonly references: { readonly at: number; readonly bytes: number };
  readonly snapshots: { readonly at: number; readonly count: number };
  /** Entries of the lower tables have a bit for each of 32 parts of a cluster. */
  readonly extended: boolean;
  /** Zero clusters are marked in an entry's lowest bit. */
  readonly marksZeroes: boolean;
  readonly compression: 'zlib' | 'zstd';
}

export async function readQcow2(bytes: ImageBytes): Promise<ImageLayout> {
  const header = await readHeader(bytes);
  const { virtualBytes } = header;
  return {
    virtualBytes,
    async *stretches() {
      await demandReferences(bytes, header);
      await demandSnapshots(bytes, header);
      yield* walk(bytes, header);
    },
  };
}

async function readHeader(bytes: ImageBytes): Promise<Header> {
  if (!(await bytes.read(0, Math.min(MAGIC.length, bytes.size))).equals(MAGIC))
    throw new BadImage('its content is not qcow2');
  const head = await bytes.read(0, Math.min(V3_HEADER_BYTES, bytes.size));
  if (head.length < V3_HEADER_BYTES) throw new BadImage('its header is cut short');
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw new BadImage(`it is qcow2 of the unknown version ${version}`);
  if (head.readBigUInt64BE(8) !== 0n || head.readUInt32BE(16) !== 0) throw new BadImage('it has a backing file');
  if (head.readUInt32BE(32) !== 0) throw new BadImage('it is encrypted');
  const features = version === 2 ? 0n : head.readBigUInt64BE(72);
  demandKnown(features);

  const clusterBits = head.readUInt32BE(20);
  if (clusterBits < 9 || clusterBits > 21) throw new BadImage('its clusters have a size that cannot be');
  const clusterBytes = 2 ** clusterBits;
  const headerBytes = version === 2 ? V2_HEADER_BYTES : head.readUInt32BE(100);
  if (headerBytes < (version === 2 ? V2_HEADER_BYTES : V3_HEADER_BYTES) || headerBytes > clusterBytes)
    throw new BadImage('its header has a length that cannot be');
  await demandHarmlessExtensions(bytes, headerBytes, clusterBytes);

  const topTable = { at: safe(head.readBigUInt64BE(40), 'its top table'), entries: head.readUInt32BE(36) };
  if (topTable.entries * 8 > TOP_TABLE_LIMIT) throw new BadImage('its top table is too large');
  const references = {
    at: safe(head.readBigUInt64BE(48), 'its table of references'),
    bytes: head.readUInt32BE(56) * clusterBytes,
  };
  if (references.bytes > REFERENCE_TABLE_LIMIT) throw new BadImage('its table of references is too large');
  const header: Header = {
    clusterBits,
    clusterBytes,
    virtualBytes: safe(head.readBigUInt64BE(24), 'its size'),
    topTable,
    references,
    snapshots: { at: safe(head.readBigUInt64BE(64), 'its table of snapshots'), count: head.readUInt32BE(60) },
    extended: (features & EXTENDED_ENTRIES) !== 0n,
    marksZeroes: version === 3,
    compression: await compressionOf(bytes, features, headerBytes),
  };
  if (header.virtualBytes === 0) throw new BadImage('it has no size');
  if (topTable.entries < Math.ceil(header.virtualBytes / bytesOfTable(header)))
    throw new BadImage('its top table is too small');
  return header;
}

function demandKnown(features: bigint): void {
  if ((features & CORRUPT) !== 0n) throw new BadImage('it is marked as corrupt');
  if ((features & EXTERNAL_DATA) !== 0n) throw new BadImage('it keeps its data in another file');
  if ((features & ~(DIRTY | COMPRESSION_TYPE | EXTENDED_ENTRIES)) !== 0n)
    throw new BadImage('it has a feature that is not known');
}

async function compressionOf(bytes: ImageBytes, features: bigint, headerBytes: number): Promise<'zlib' | 'zstd'> {
  if ((features & COMPRESSION_TYPE) === 0n) return 'zlib';
  const type = headerBytes > V3_HEADER_BYTES ? (await bytes.read(V3_HEADER_BYTES, 1)).readUInt8() : 0;
  if (type > 1) throw new BadImage('it is compressed in a way that is not known');
  return type === 1 ? 'zstd' : 'zlib';
}

/** They stand between the header and the end of the first cluster; those that are not known may be passed over. */
async function demandHarmlessExtensions(bytes: ImageBytes, from: number, clusterBytes: number): Promise<void> {
  const area = await bytes.read(0, Math.min(clusterBytes, bytes.size));
  for (let at = from; at + 8 <= area.length; ) {
    const type = area.readUInt32BE(at);
    if (type === 0) return;
    if (type === ENCRYPTION_EXTENSION) throw new BadImage('it is encrypted');
    if (type === DATA_FILE_EXTENSION) throw new BadImage('it keeps its data in another file');
    at += 8 + Math.ceil(area.readUInt32BE(at + 4) / 8) * 8;
    if (at > area.length) throw new BadImage('its header has a part that does not end');
  }
}

async function demandReferences(bytes: ImageBytes, { references, clusterBytes }: Header): Promise<void> {
  const table = await bytes.read(references.at, references.bytes);
  for (let entry = 0; entry < table.length; entry += 8) {
    const at = addressIn(table, entry);
    if (at % clusterBytes !== 0) throw new BadImage('its table of references is damaged');
    if (at >= bytes.size) throw new BadImage('it is cut short');
  }
}

async function demandSnapshots(bytes: ImageBytes, { snapshots }: Header): Promise<void> {
  if (snapshots.count > SNAPSHOTS_LIMIT) throw new BadImage('it has too many snapshots');
  let at = snapshots.at;
  for (let left = snapshots.count; left > 0; left--) {
    const entry = await bytes.read(at, 40);
    const extra = entry.readUInt32BE(36);
    if (extra > SNAPSHOT_EXTRA_LIMIT) throw new BadImage('its table of snapshots is damaged');
    demandThere(bytes, safe(entry.readBigUInt64BE(0), 'a snapshot'), entry.readUInt32BE(8) * 8);
    at += Math.ceil((40 + extra + entry.readUInt16BE(12) + entry.readUInt16BE(14)) / 8) * 8;
  }
}

function demandThere(bytes: ImageBytes, at: number, length: number): void {
  if (at + length > bytes.size) throw new BadImage('it is cut short');
}

const entriesOfTable = ({ clusterBytes, extended }: Header): number => clusterBytes / (extended ? 16 : 8);
/** How much of the disk one lower table describes. */
const bytesOfTable = (header: Header): number => entriesOfTable(header) * header.clusterBytes;

/** Each lower table is a cluster of the file: more of them than that are the same ones again and again. */
async function* walk(bytes: ImageBytes, header: Header): AsyncGenerator<readonly Stretch[]> {
  const { topTable, clusterBytes, virtualBytes } = header;
  const most = Math.ceil(bytes.size / clusterBytes);
  const top = await bytes.read(topTable.at, topTable.entries * 8);
  let tables = 0;
  for (let disk = 0, entry = 0; disk < virtualBytes; disk += bytesOfTable(header), entry += 8) {
    const at = addressIn(top, entry);
    if (at === 0) continue;
    if (at % clusterBytes !== 0) throw new BadImage('its top table is damaged');
    if (++tables > most) throw new BadImage('it names more tables than it can hold');
    const table = await bytes.read(at, clusterBytes);
    const { found, doubtful } = clustersIn(table, disk, header, bytes.size);
    for (const piece of doubtful) await demandUnpacks(bytes, piece, header);
    yield found.stretches;
  }
}

/** `doubtful`: where compressed data begins whose last sector is not all there. */
function clustersIn(
  table: Buffer,
  disk: number,
  header: Header,
  size: number,
): { readonly found: Stretches; readonly doubtful: readonly number[] } {
  const { clusterBytes, virtualBytes, extended, marksZeroes } = header;
  const step = extended ? 16 : 8;
  const found = new Stretches();
  const doubtful: number[] = [];
  for (let entry = 0, of = disk; entry < table.length && of < virtualBytes; entry += step, of += clusterBytes) {
    const high = table.readUInt32BE(entry);
    const low = table.readUInt32BE(entry + 4);
    if (high === 0 && low === 0) continue;
    if ((high & 0x4000_0000) !== 0) {
      const { at, end } = packedAt(table.readBigUInt64BE(entry), header.clusterBits);
      if (at >= size || end - size >= SECTOR) throw new BadImage('it is cut short');
      if (end > size) doubtful.push(at);
      found.add(at, clusterBytes, true);
      continue;
    }
    const at = addressIn(table, entry);
    const zero = !extended && marksZeroes && (low & 1) !== 0;
    if (at % clusterBytes !== 0) throw new BadImage('one of its tables is damaged');
    if (at === 0 || zero) continue;
    const parts = extended
      ? partsIn(table.readUInt32BE(entry + 12) & ~table.readUInt32BE(entry + 8), clusterBytes / SUBCLUSTERS)
      : { from: 0, to: clusterBytes };
    const to = Math.min(parts.to, virtualBytes - of);
    if (parts.from >= to) continue;
    if (at + to > size) throw new BadImage('it is cut short');
    found.add(at + parts.from, to - parts.from);
  }
  return { found, doubtful };
}

/** Bits 9 to 55 of an entry. A table has it in 64 bits, of which a number holds what any file can have. */
const addressIn = (table: Buffer, entry: number): number =>
  (table.readUInt32BE(entry) & 0x00ff_ffff) * 2 ** 32 + ((table.readUInt32BE(entry + 4) & 0xffff_fe00) >>> 0);

function packedAt(entry: bigint, clusterBits: number): { readonly at: number; readonly end: number } {
  const width = BigInt(62 - (clusterBits - 8));
  const at = Number(entry & ((1n << width) - 1n));
  const sectors = Number((entry & ((1n << 62n) - 1n)) >> width);
  return { at, end: (Math.floor(at / SECTOR) + sectors + 1) * SECTOR };
}

/** From the first to the last part that holds data. */
function partsIn(holdsData: number, partBytes: number): { readonly from: number; readonly to: number } {
  if (holdsData === 0) return { from: 0, to: 0 };
  const first = 31 - Math.clz32(holdsData & -holdsData);
  return { from: first * partBytes, to: (32 - Math.clz32(holdsData)) * partBytes };
}

async function demandUnpacks(bytes: ImageBytes, at: number, { compression, clusterBytes }: Header): Promise<void> {
  const packed = await bytes.read(at, bytes.size - at);
  const limit = { maxOutputLength: clusterBytes };
  try {
    const { length } = compression === 'zstd' ? zstdDecompressSync(packed, limit) : inflateRawSync(packed, limit);
    if (length === clusterBytes) return;
  } catch {
    // Said below.
  }
  throw new BadImage('it is cut short');
}
