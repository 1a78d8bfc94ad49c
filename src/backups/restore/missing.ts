/** What a restore has left out, since it could not be read: chunks, told as ranges. */
import type { ByteRange, RestoreOutcome } from '../backups.ts';
import { CHUNK_BYTES } from '../format/segment.ts';

/** So many ranges are told of. */
const MOST_TOLD = 100;

export class Missing {
  readonly #places: number[] = [];

  /** So many chunks, beginning with this one. */
  add(place: number, count = 1): void {
    for (let at = 0; at < count; at += 1) this.#places.push(place + at);
  }

  outcome(): RestoreOutcome {
    const missing: ByteRange[] = [];
    for (const place of this.#places.sort((a, b) => a - b)) {
      const last = missing.at(-1);
      const at = place * CHUNK_BYTES;
      if (last !== undefined && last.at + last.bytes === at)
        missing[missing.length - 1] = { at: last.at, bytes: last.bytes + CHUNK_BYTES };
      else missing.push({ at, bytes: CHUNK_BYTES });
    }
    return { missingBytes: this.#places.length * CHUNK_BYTES, missing: missing.slice(0, MOST_TOLD) };
  }
}
