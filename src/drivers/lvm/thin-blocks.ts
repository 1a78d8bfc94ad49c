/**
 * What `thin_dump` and `thin_delta` tell of thin volumes: which of a pool's blocks one has, and which two do not share. Both print XML, a line
 * for each run of blocks, and tell the size of a block in sectors at the top.
 *
 * A block that a volume has may hold zeroes; one that it does not have does. Two volumes that share a block hold the same in it.
 */
import type { DataExtent } from '../../lib/file-content.ts';

const SECTOR = 512;

/** Where the volume of so many bytes has blocks. Throws for what is no such dump: data that is not told of would be taken for zeroes. */
export function parseDump(xml: string, bytes: number): readonly DataExtent[] {
  const { blockBytes, lines } = opened(xml);
  const devices = lines.filter((line) => line.startsWith('<device ')).length;
  if (devices !== 1) throw new TypeError(`The dump is of ${devices} thin volumes.`);
  const runs = lines.flatMap((line) => {
    if (/^<(device |\/device>$|\/superblock>$)/.test(line)) return [];
    const [, begin, length] =
      /^<range_mapping origin_begin="(\d+)" data_begin="\d+" length="(\d+)" time="\d+"\/>$/.exec(line) ?? [];
    if (begin !== undefined) return [{ begin: Number(begin), length: Number(length) }];
    const [, block] = /^<single_mapping origin_block="(\d+)" data_block="\d+" time="\d+"\/>$/.exec(line) ?? [];
    if (block !== undefined) return [{ begin: Number(block), length: 1 }];
    throw new TypeError(`${line} is no mapping.`);
  });
  return joined(runs, blockBytes, bytes);
}

/** Where the second, of so many bytes, may hold something else than the first. Throws for what is no such list. */
export function parseDelta(xml: string, bytes: number): readonly DataExtent[] {
  const { blockBytes, lines } = opened(xml);
  const runs = lines.flatMap((line) => {
    if (/^<(diff |\/diff>$|\/superblock>$)/.test(line)) return [];
    const [, kind, begin, length] =
      /^<(same|different|left_only|right_only) begin="(\d+)" length="(\d+)"\/>$/.exec(line) ?? [];
    if (kind === undefined) throw new TypeError(`${line} is no difference.`);
    return kind === 'same' ? [] : [{ begin: Number(begin), length: Number(length) }];
  });
  return joined(runs, blockBytes, bytes);
}

function opened(xml: string): { readonly blockBytes: number; readonly lines: readonly string[] } {
  const [head = '', ...lines] = xml
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const sectors = /^<superblock .*\bdata_block_size="(\d+)"/.exec(head)?.[1];
  if (sectors === undefined || lines.at(-1) !== '</superblock>') throw new TypeError('This is no whole metadata.');
  return { blockBytes: Number(sectors) * SECTOR, lines };
}

/** In order, those that touch as one, none beyond the end. */
function joined(
  runs: readonly { readonly begin: number; readonly length: number }[],
  blockBytes: number,
  bytes: number,
): readonly DataExtent[] {
  const extents: { at: number; bytes: number }[] = [];
  for (const { begin, length } of runs.toSorted((a, b) => a.begin - b.begin)) {
    const at = begin * blockBytes;
    const end = Math.min(at + length * blockBytes, bytes);
    const last = extents.at(-1);
    if (at >= end) continue;
    if (last !== undefined && last.at + last.bytes >= at) last.bytes = Math.max(last.bytes, end - last.at);
    else extents.push({ at, bytes: end - at });
  }
  return extents;
}
