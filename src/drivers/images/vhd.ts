/**
 * VHD, fixed and dynamic (Microsoft's "Virtual Hard Disk Image Format Specification"; QEMU's block/vpc.c calls it `vpc`).
 * Numbers are big-endian.
 *
 * Its size is told twice: in bytes, and as cylinders, heads and sectors, which come out smaller or larger. QEMU guesses from
 * the maker's name which of them counts. Here it is always the size in bytes, and the converter is told so
 * (`force_size_calc`): 1 GiB written by QEMU without `force_size` says itself that it has 1,073,995,776 bytes.
 *
 * Refused: an image that is the difference to another one.
 */
import { BadImage, type ImageBytes, type ImageLayout, type Stretch, Stretches, safe } from './image-bytes.ts';

const SECTOR = 512;
const FOOTER_BYTES = 512;
const COOKIE = Buffer.from('conectix');
const SPARSE_COOKIE = Buffer.from('cxsparse');
const FIXED = 2;
const DYNAMIC = 3;
const NOT_THERE = 0xffff_ffff;
const MAP_PIECE = 64 * 1024;
/** 2040 GiB, the most the format can have. */
const SIZE_LIMIT = 2040 * 1024 ** 3;

export async function readVhd(bytes: ImageBytes): Promise<ImageLayout> {
  if (bytes.size < FOOTER_BYTES) throw new BadImage('its content is not vhd');
  const footer = await bytes.read(bytes.size - FOOTER_BYTES, FOOTER_BYTES);
  const begin = await bytes.read(0, FOOTER_BYTES);
  const isFooter = (found: Buffer): boolean => found.subarray(0, COOKIE.length).equals(COOKIE);
  if (!isFooter(footer)) throw new BadImage(isFooter(begin) ? 'it is cut short' : 'its content is not vhd');
  const kind = footer.readUInt32BE(60);
  const virtualBytes = safe(footer.readBigUInt64BE(48), 'its size');
  if (virtualBytes === 0 || virtualBytes % SECTOR !== 0) throw new BadImage('it has a size that cannot be');
  if (virtualBytes > SIZE_LIMIT) throw new BadImage('it is larger than a vhd can be');
  if (kind === FIXED) {
    // With a footer at its begin as well QEMU would take it for another kind.
    if (isFooter(begin)) throw new BadImage('it is not of the kind it says it is');
    if (virtualBytes > bytes.size - FOOTER_BYTES) throw new BadImage('it is cut short');
    return {
      virtualBytes,
      async *stretches() {
        yield [{ at: 0, bytes: virtualBytes, packed: false }];
      },
    };
  }
  if (kind !== DYNAMIC) throw new BadImage('it is the difference to another image');
  // QEMU reads the one at the begin.
  if (!isFooter(begin) || begin.readUInt32BE(60) !== kind || begin.readBigUInt64BE(48) !== footer.readBigUInt64BE(48))
    throw new BadImage('its two headers do not agree');
  return dynamic(bytes, begin, virtualBytes);
}

async function dynamic(bytes: ImageBytes, begin: Buffer, virtualBytes: number): Promise<ImageLayout> {
  const head = await bytes.read(safe(begin.readBigUInt64BE(16), 'its second header'), 1024);
  if (!head.subarray(0, SPARSE_COOKIE.length).equals(SPARSE_COOKIE)) throw new BadImage('its second header is damaged');
  const mapAt = safe(head.readBigUInt64BE(16), 'its map');
  const blocks = head.readUInt32BE(28);
  const blockBytes = head.readUInt32BE(32);
  if (blockBytes < SECTOR || !Number.isInteger(Math.log2(blockBytes)))
    throw new BadImage('its blocks have a size that cannot be');
  if (virtualBytes > blocks * blockBytes) throw new BadImage('its map is too small');
  return { virtualBytes, stretches: () => walk(bytes, { virtualBytes, mapAt, blockBytes }) };
}

interface Map {
  readonly virtualBytes: number;
  readonly mapAt: number;
  readonly blockBytes: number;
}

/** Each block stands behind a bitmap of its sectors that were written. */
async function* walk(bytes: ImageBytes, { virtualBytes, mapAt, blockBytes }: Map): AsyncGenerator<readonly Stretch[]> {
  const blocks = Math.ceil(virtualBytes / blockBytes);
  const bitmapBytes = Math.ceil(blockBytes / SECTOR / 8 / SECTOR) * SECTOR;
  const end = bytes.size - FOOTER_BYTES;
  for (let from = 0; from < blocks; from += MAP_PIECE) {
    const entries = Math.min(MAP_PIECE, blocks - from);
    const map = await bytes.read(mapAt + from * 4, entries * 4);
    const found = new Stretches();
    for (let entry = 0; entry < entries; entry++) {
      const sector = map.readUInt32BE(entry * 4);
      if (sector === NOT_THERE) continue;
      const at = sector * SECTOR + bitmapBytes;
      const length = Math.min(blockBytes, virtualBytes - (from + entry) * blockBytes);
      if (at + length > end) throw new BadImage('it is cut short');
      found.add(at, length);
    }
    yield found.stretches;
  }
}
