/** Which pages of a chunk are others than in its base, and the chunk as a record with those laid over it. */
import { CHUNK_BYTES, PAGE_BYTES, PAGES } from '../format/segment.ts';

/** With more than half of a chunk's pages changed it is stored whole: a reader has less to do. */
export const MOST_PAGES = PAGES / 2;

/** A bit a page, the first page the highest bit of the first byte. */
export type PageMap = Uint8Array;

/** Pages in which the two differ, and those that are set in `also`. */
export function differing(data: Buffer, base: Buffer, also: PageMap | null): { map: PageMap; count: number } {
  const map = new Uint8Array(PAGES / 8);
  let count = 0;
  for (let page = 0; page < PAGES; page += 1) {
    const at = page * PAGE_BYTES;
    if (!isSet(also, page) && data.compare(base, at, at + PAGE_BYTES, at, at + PAGE_BYTES) === 0) continue;
    map[page >> 3] = (map[page >> 3] as number) | (0x80 >> (page & 7));
    count += 1;
  }
  return { map, count };
}

/** The pages that are set, one after the other. */
export function pagesOf(data: Buffer, map: PageMap): Buffer {
  const pages: Buffer[] = [];
  for (let page = 0; page < PAGES; page += 1)
    if (isSet(map, page)) pages.push(data.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
  return Buffer.concat(pages);
}

/** The inverse: lays them over a chunk, in its place. False where they are not as many as are set; then nothing is done. */
export function layOver(chunk: Buffer, pages: Buffer, map: PageMap): boolean {
  const set = Array.from({ length: PAGES }, (_, page) => page).filter((page) => isSet(map, page));
  if (chunk.length !== CHUNK_BYTES || pages.length !== set.length * PAGE_BYTES) return false;
  for (const [at, page] of set.entries()) pages.copy(chunk, page * PAGE_BYTES, at * PAGE_BYTES, (at + 1) * PAGE_BYTES);
  return true;
}

const isSet = (map: PageMap | null, page: number): boolean =>
  map !== null && ((map[page >> 3] as number) & (0x80 >> (page & 7))) !== 0;
