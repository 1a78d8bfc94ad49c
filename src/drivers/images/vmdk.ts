/**
 * VMDK in one sparse file: `monolithicSparse` and `streamOptimized` (VMware's "Virtual Disk Format 5.0"; QEMU's
 * block/vmdk.c). Numbers are little-endian, places are in sectors.
 *
 * A stream has its tables at its end, and a second header there that counts instead of the first; then both are read by the
 * same rules. Its grains are compressed, each behind a mark that says how long it is; they follow each other, so the last one
 * alone can reach beyond the end of the file.
 */
import { BadImage, type ImageBytes, type ImageLayout, type Stretch, Stretches, safe } from './image-bytes.ts';
import { demandAlone } from './vmdk-descriptor.ts';

const SECTOR = 512;
const MAGIC = Buffer.from('KDMV');
const NEWLINES = Buffer.from('\n \r\n');
const TABLES_AT_END = 0xffff_ffff_ffff_ffffn;
/** A mark, the header, the mark of the end. */
const FOOTER_BYTES = 3 * SECTOR;
/** QEMU reads so much for a descriptor whatever its length is said to be. */
const DESCRIPTOR_LEAST = 20 * SECTOR;
const DESCRIPTOR_MOST = 1024 ** 2;
const ENTRIES_MOST = 512;
const GRAIN_MOST = 128 * 1024 ** 2;
const DIRECTORY_PIECE = 16 * 1024;

const ZERO_GRAINS = 1 << 2;
const COMPRESSED = 1 << 16;
const MARKED = 1 << 17;

interface Header {
  readonly virtualBytes: number;
  readonly grainBytes: number;
  readonly entriesOfTable: number;
  readonly directoryAt: number;
  readonly packed: boolean;
  readonly marksZeroes: boolean;
}

export async function readVmdk(bytes: ImageBytes): Promise<ImageLayout> {
  const head = await bytes.read(0, Math.min(SECTOR, bytes.size));
  if (!head.subarray(0, MAGIC.length).equals(MAGIC)) throw new BadImage('it is not a single-file sparse vmdk');
  if (head.length < SECTOR) throw new BadImage('its header is cut short');
  const atEnd = head.readBigUInt64LE(56) === TABLES_AT_END;
  const first = readHeader(head);
  const kind = demandAlone(await descriptorText(bytes, head));
  const header = atEnd ? readHeader(await footer(bytes)) : first;
  if (header.virtualBytes !== first.virtualBytes) throw new BadImage('its two headers do not agree');
  if ((kind === 'streamoptimized') !== header.packed) throw new BadImage('it is not of the kind it says it is');
  return { virtualBytes: header.virtualBytes, stretches: () => walk(bytes, header) };
}

function readHeader(head: Buffer): Header {
  const version = head.readUInt32LE(4);
  if (version < 1 || version > 3) throw new BadImage(`it is vmdk of the unknown version ${version}`);
  if (!head.subarray(73, 77).equals(NEWLINES)) throw new BadImage('it was changed on its way, as text is');
  const flags = head.readUInt32LE(8);
  const capacity = safe(head.readBigUInt64LE(12), 'its size');
  if (capacity === 0) throw new BadImage('it has no size');
  const grainBytes = safe(head.readBigUInt64LE(20), 'its grain') * SECTOR;
  const entriesOfTable = head.readUInt32LE(44);
  if (grainBytes < 8 * SECTOR || grainBytes > GRAIN_MOST || !Number.isInteger(Math.log2(grainBytes)))
    throw new BadImage('its grains have a size that cannot be');
  if (entriesOfTable < 1 || entriesOfTable > ENTRIES_MOST) throw new BadImage('its tables have a size that cannot be');
  const packed = (flags & COMPRESSED) !== 0;
  if (packed !== ((flags & MARKED) !== 0) || head.readUInt16LE(77) !== (packed ? 1 : 0))
    throw new BadImage('it is compressed in a way that is not known');
  const directory = head.readBigUInt64LE(56);
  return {
    virtualBytes: capacity * SECTOR,
    grainBytes,
    entriesOfTable,
    directoryAt: directory === TABLES_AT_END ? 0 : safe(directory, 'its directory') * SECTOR,
    packed,
    marksZeroes: (flags & ZERO_GRAINS) !== 0,
  };
}

async function descriptorText(bytes: ImageBytes, head: Buffer): Promise<string> {
  const length = safe(head.readBigUInt64LE(36), 'its descriptor') * SECTOR;
  if (head.readBigUInt64LE(28) !== 1n || length === 0) throw new BadImage('its descriptor is not where it should be');
  if (length > DESCRIPTOR_MOST) throw new BadImage('its descriptor is too long');
  const least = Math.min(DESCRIPTOR_LEAST, bytes.size - SECTOR);
  const area = await bytes.read(SECTOR, Math.max(length, least));
  const end = area.indexOf(0);
  if (end < 0 || end > length) throw new BadImage('its descriptor does not end');
  return area.toString('latin1', 0, end);
}

async function footer(bytes: ImageBytes): Promise<Buffer> {
  const at = bytes.size - FOOTER_BYTES;
  if (at < SECTOR || at % SECTOR !== 0) throw new BadImage('it is cut short');
  const head = (await bytes.read(at, FOOTER_BYTES)).subarray(SECTOR, 2 * SECTOR);
  if (!head.subarray(0, MAGIC.length).equals(MAGIC)) throw new BadImage('it is cut short');
  if (head.readBigUInt64LE(56) === TABLES_AT_END) throw new BadImage('it has no tables');
  return head;
}

/** Tables are pieces of the file: more of them than that are the same ones again and again. */
async function* walk(bytes: ImageBytes, header: Header): AsyncGenerator<readonly Stretch[]> {
  const { virtualBytes, grainBytes, entriesOfTable, directoryAt, packed } = header;
  const ofTable = entriesOfTable * grainBytes;
  const tables = Math.ceil(virtualBytes / ofTable);
  const most = Math.ceil(bytes.size / (entriesOfTable * 4));
  let seen = 0;
  let lastGrain = 0;
  for (let from = 0; from < tables; from += DIRECTORY_PIECE) {
    const count = Math.min(DIRECTORY_PIECE, tables - from);
    const directory = await bytes.read(directoryAt + from * 4, count * 4);
    for (let entry = 0; entry < count; entry++) {
      const sector = directory.readUInt32LE(entry * 4);
      if (sector === 0) continue;
      if (++seen > most) throw new BadImage('it names more tables than it can hold');
      const table = await bytes.read(sector * SECTOR, entriesOfTable * 4);
      const { found, last } = grainsIn(table, (from + entry) * ofTable, header, bytes.size);
      lastGrain = Math.max(lastGrain, last);
      yield found.stretches;
    }
  }
  if (packed && lastGrain > 0) await demandWholeGrain(bytes, lastGrain);
}

function grainsIn(
  table: Buffer,
  disk: number,
  { virtualBytes, grainBytes, packed, marksZeroes }: Header,
  size: number,
): { readonly found: Stretches; readonly last: number } {
  const found = new Stretches();
  let last = 0;
  for (let entry = 0, of = disk; entry < table.length && of < virtualBytes; entry += 4, of += grainBytes) {
    const sector = table.readUInt32LE(entry);
    if (sector === 0 || (marksZeroes && sector === 1)) continue;
    const at = sector * SECTOR;
    const length = Math.min(grainBytes, virtualBytes - of);
    if (at + (packed ? 0 : length) > size) throw new BadImage('it is cut short');
    last = Math.max(last, at);
    found.add(at, length, packed);
  }
  return { found, last };
}

/** Its place on the disk (8 bytes), how long it is (4), itself. */
async function demandWholeGrain(bytes: ImageBytes, at: number): Promise<void> {
  const length = (await bytes.read(at, 12)).readUInt32LE(8);
  if (at + 12 + length > bytes.size) throw new BadImage('it is cut short');
}
