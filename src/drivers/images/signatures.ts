/**
 * Magic numbers: the format that the first bytes of a file claim. Never used to choose a format, only to refuse a file that
 * is not of the format it should be.
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
