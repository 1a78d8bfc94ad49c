/**
 * What the first bytes of a file claim to be, read without giving the file to any program.
 *
 * Used in two ways, and never to choose a format: an image that claims to be a qcow2 must look like one and must not
 * point to other files, before `qemu-img` may open it (opening is what reads the other file); and a file that an
 * operator gives as a volume, which is raw, must not look like an image.
 */

/** Enough of a file's beginning for everything here. */
export const HEADER_BYTES = 512;

export type HeaderFormat = 'qcow2' | 'vmdk' | 'vdi' | 'vhd' | 'vhdx' | 'qed';

const SIGNATURES: readonly (readonly [HeaderFormat, number, Buffer])[] = [
  ['qcow2', 0, Buffer.from('QFI\xfb', 'latin1')],
  ['vmdk', 0, Buffer.from('KDMV')],
  ['vmdk', 0, Buffer.from('COWD')],
  ['vmdk', 0, Buffer.from('# Disk DescriptorFile')],
  ['vdi', 64, Buffer.from([0x7f, 0x10, 0xda, 0xbe])],
  ['vhd', 0, Buffer.from('conectix')],
  ['vhdx', 0, Buffer.from('vhdxfile')],
  ['qed', 0, Buffer.from('QED\0')],
];

export function headerFormat(head: Buffer): HeaderFormat | null {
  const match = SIGNATURES.find(([, at, bytes]) => head.subarray(at, at + bytes.length).equals(bytes));
  return match?.[0] ?? null;
}

const QCOW2_BACKING_OFFSET = 8;
const QCOW2_INCOMPATIBLE_FEATURES = 72;
const EXTERNAL_DATA_FILE = 1n << 2n;

/** Why an image of this format may not be opened; null when its header is in order. */
export function headerFault(head: Buffer, format: 'qcow2' | 'vmdk' | 'vdi'): string | null {
  if (headerFormat(head) !== format) return `its content is not ${format}`;
  if (format === 'vmdk' && head.toString('latin1', 0, 4) !== 'KDMV') return 'it is not a single-file sparse vmdk';
  if (format !== 'qcow2') return null;
  if (head.length < 104) return 'its header is cut short';
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) return `it is qcow2 of the unknown version ${version}`;
  if (head.readBigUInt64BE(QCOW2_BACKING_OFFSET) !== 0n) return 'it has a backing file';
  if (version === 3 && (head.readBigUInt64BE(QCOW2_INCOMPATIBLE_FEATURES) & EXTERNAL_DATA_FILE) !== 0n) {
    return 'it keeps its data in another file';
  }
  return null;
}
