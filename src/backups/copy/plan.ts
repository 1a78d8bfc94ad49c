/** What is to be done with each chunk of a source, before any of it is read. */
import type { DataExtent } from '../../lib/file-content.ts';
import type { ByteRange } from '../backups.ts';
import { CHUNK_BYTES } from '../format/segment.ts';

/** It is as in the parent; it is a hole; it is to be read. */
export const SAME = 0;
export const HOLE = 1;
export const READ = 2;

export interface Plan {
  /** One of the three for each chunk. */
  readonly actions: Uint8Array;
  /** Of how many chunks what they hold is not known before. */
  readonly reads: number;
}

export interface PlanFacts {
  readonly chunks: number;
  /** Where the source has data. */
  readonly extents: readonly DataExtent[];
  /** Where it may differ from the parent; null: anywhere. */
  readonly changed: readonly ByteRange[] | null;
  /** Of the parent; 0 without one. */
  readonly parentChunks: number;
}

export function planOf({ chunks, extents, changed, parentChunks }: PlanFacts): Plan {
  const actions = new Uint8Array(chunks).fill(HOLE);
  for (const extent of extents) actions.fill(READ, ...chunksOf(extent));
  if (changed !== null) {
    const isChanged = new Uint8Array(chunks);
    for (const range of changed) isChanged.fill(1, ...chunksOf(range));
    for (let index = 0; index < Math.min(chunks, parentChunks); index += 1)
      if (isChanged[index] === 0) actions[index] = SAME;
  }
  return { actions, reads: actions.reduce((sum, action) => sum + (action === READ ? 1 : 0), 0) };
}

/** From the first that it touches to the one after the last. */
const chunksOf = ({ at, bytes }: ByteRange): [start: number, end: number] =>
  bytes === 0 ? [0, 0] : [Math.floor(at / CHUNK_BYTES), Math.ceil((at + bytes) / CHUNK_BYTES)];
