/**
 * A client that remembers: what it was told is written must be in the file that the volume has in the end, wherever that is. Each block
 * is made of its number, so what is there says which write it was.
 */
import { open } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { elapsed } from '../../../src/lib/clock.ts';
import type { VolumeClient } from './checking-writer.ts';

const BLOCK_BYTES = 4096;
/** Of each lane; then the first is written again. */
const BLOCKS = 256;
const LANES = 8;
const LATE_MS = 60_000;
/** What a writer writes to: 8 MiB. */
export const WRITTEN_BYTES = LANES * BLOCKS * BLOCK_BYTES;

export class AcknowledgedWriter {
  /** The longest that a write took since this was last set to 0, ms. */
  longestMs = 0;
  /** The longest that no write was answered since this was last set to 0, ms. */
  longestGapMs = 0;
  answered = 0;
  /** Refused, and written again. */
  failed = 0;
  readonly #client: VolumeClient;
  readonly #base: number;
  /** By block: the number of the newest write that was answered. */
  readonly #newest = new Map<number, number>();
  readonly #lanes: Promise<void>[];
  #stop = false;
  #answeredAt = elapsed();

  /** Writes from `base` on, from now on. The client is closed by it. */
  constructor(client: VolumeClient, base = 0) {
    this.#client = client;
    this.#base = base;
    this.#lanes = Array.from({ length: LANES }, (_, lane) => this.#write(lane));
  }

  /** Resolves when so many more writes were answered; rejects when they are not. */
  async goesOn(writes = 4 * LANES): Promise<void> {
    const enough = this.answered + writes;
    const deadline = elapsed() + LATE_MS;
    while (this.answered < enough) {
      if (elapsed() > deadline) throw new Error(`Writes are not answered: ${this.answered} were.`);
      await pause(1);
    }
  }

  async stop(): Promise<void> {
    if (this.#stop) return;
    this.#stop = true;
    await Promise.race([Promise.all(this.#lanes), pause(1_000, undefined, { ref: false })]);
    await this.#client.close();
  }

  /** Blocks whose newest answered write, or one after it, is not in this file. */
  async missing(path: string): Promise<number> {
    const file = await open(path, 'r');
    try {
      let missing = 0;
      for (const [block, newest] of this.#newest) {
        const { buffer } = await file.read(Buffer.alloc(BLOCK_BYTES), 0, BLOCK_BYTES, this.#base + block * BLOCK_BYTES);
        const count = buffer.readUInt32BE(4);
        const lane = Math.floor(block / BLOCKS);
        if (count < newest || !buffer.equals(content(lane, count))) missing += 1;
      }
      return missing;
    } finally {
      await file.close();
    }
  }

  async #write(lane: number): Promise<void> {
    for (let count = 1; !this.#stop; count += 1) {
      const block = lane * BLOCKS + (count % BLOCKS);
      const begun = elapsed();
      await this.#persist(this.#base + block * BLOCK_BYTES, content(lane, count));
      if (this.#stop) return;
      const now = elapsed();
      this.longestMs = Math.max(this.longestMs, now - begun);
      this.longestGapMs = Math.max(this.longestGapMs, now - this.#answeredAt);
      this.#answeredAt = now;
      this.#newest.set(block, count);
      this.answered += 1;
    }
  }

  async #persist(at: number, block: Buffer): Promise<void> {
    while (!this.#stop) {
      try {
        return await this.#client.write(at, block);
      } catch {
        this.failed += 1;
        await pause(2);
      }
    }
  }
}

/** No two writes have the same. */
function content(lane: number, count: number): Buffer {
  const words = new Uint32Array(BLOCK_BYTES / 4).fill(count * 31 + lane);
  const block = Buffer.from(words.buffer);
  block.writeUInt32BE(lane, 0);
  block.writeUInt32BE(count, 4);
  return block;
}
