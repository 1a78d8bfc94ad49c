/**
 * VDI 1.1, dynamic and static (VirtualBox's VDICore.h, QEMU's block/vdi.c). Numbers are little-endian.
 *
 * Refused: an image that is the difference to another one. A map says for each MiB of the disk which block of the file has it.
 */
import { BadImage, type ImageBytes, type ImageLayout, type Stretch, Stretches, safe } from './image-bytes.ts';

const SIGNATURE = 0xbeda107f;
const HEADER_BYTES = 512;
const VERSION = 0x0001_0001;
const BLOCK_BYTES = 1024 ** 2;
const KINDS = { dynamic: 1, static: 2 };
/** Entries of the map from here on are blocks that hold zeroes: given up, or never there. */
const NOT_THERE = 0xffff_fffe;
const MAP_PIECE = 64 * 1024;

export async function readVdi(bytes: ImageBytes): Promise<ImageLayout> {
  if (bytes.size < HEADER_BYTES) throw new BadImage('its content is not vdi');
  const head = await bytes.read(0, HEADER_BYTES);
  if (head.readUInt32LE(0x40) !== SIGNATURE) throw new BadImage('its content is not vdi');
  if (head.readUInt32LE(0x44) !== VERSION) throw new BadImage('it is a vdi of an unknown version');
  const kind = head.readUInt32LE(0x4c);
  const another = [...head.subarray(0x1a8, 0x1c8)].some((byte) => byte !== 0);
  if ((kind !== KINDS.dynamic && kind !== KINDS.static) || another)
    throw new BadImage('it is the difference to another image');
  if (head.readUInt32LE(0x168) !== 512) throw new BadImage('its sectors have a size that cannot be');
  if (head.readUInt32LE(0x178) !== BLOCK_BYTES || head.readUInt32LE(0x17c) !== 0)
    throw new BadImage('its blocks have a size that is not known');
  const virtualBytes = safe(head.readBigUInt64LE(0x170), 'its size');
  const blocks = head.readUInt32LE(0x180);
  if (virtualBytes === 0) throw new BadImage('it has no size');
  if (virtualBytes > blocks * BLOCK_BYTES) throw new BadImage('its map is too small');
  const mapAt = head.readUInt32LE(0x154);
  const dataAt = head.readUInt32LE(0x158);
  return { virtualBytes, stretches: () => walk(bytes, { virtualBytes, blocks, mapAt, dataAt }) };
}

interface Map {
  readonly virtualBytes: number;
  readonly blocks: number;
  readonly mapAt: number;
  readonly dataAt: number;
}

async function* walk(
  bytes: ImageBytes,
  { virtualBytes, blocks, mapAt, dataAt }: Map,
): AsyncGenerator<readonly Stretch[]> {
  for (let from = 0; from < blocks; from += MAP_PIECE) {
    const entries = Math.min(MAP_PIECE, blocks - from);
    const map = await bytes.read(mapAt + from * 4, entries * 4);
    const found = new Stretches();
    for (let entry = 0; entry < entries; entry++) {
      const block = map.readUInt32LE(entry * 4);
      const length = Math.min(BLOCK_BYTES, virtualBytes - (from + entry) * BLOCK_BYTES);
      if (block >= NOT_THERE || length <= 0) continue;
      const at = dataAt + block * BLOCK_BYTES;
      if (at + length > bytes.size) throw new BadImage('it is cut short');
      found.add(at, length);
    }
    yield found.stretches;
  }
}
