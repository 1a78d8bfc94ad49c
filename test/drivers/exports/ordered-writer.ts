/**
 * A client of several volumes that writes in order: in each of its lanes block n goes to the first volume, is answered, goes to the
 * second, is answered … and only then n + 1 begins. So at any moment no volume is ahead of one before it, nor the first more than
 * one block ahead of the last; copies of the volumes that show anything else are of more than one moment.
 */
import { open } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { elapsed } from '../../../src/lib/clock.ts';
import type { VolumeClient } from './checking-writer.ts';

const LANES = 8;
/** Of each lane; then the first is written again. */
const BLOCKS = 64;
const BLOCK_BYTES = 4096;
const LATE_MS = 60_000;

/** By volume and lane: the newest block. */
export type Newest = readonly (readonly number[])[];

export class OrderedWriter {
  /** The longest that a write took since this was last set to 0, ms. */
  longestMs = 0;
  failed = 0;
  readonly #clients: readonly VolumeClient[];
  readonly #answered: number[][];
  readonly #lanes: Promise<void>[];
  #stop = false;

  /** Writes from now on. The clients are closed by it. */
  constructor(clients: readonly VolumeClient[]) {
    this.#clients = clients;
    this.#answered = clients.map(() => Array.from({ length: LANES }, () => 0));
    this.#lanes = Array.from({ length: LANES }, (_, lane) => this.#write(lane));
  }

  get answered(): Newest {
    return this.#answered.map((lanes) => [...lanes]);
  }

  /** Resolves when each lane has gone through so many blocks more; rejects when it does not. */
  async goesOn(blocks = 2): Promise<void> {
    const last = this.#answered.length - 1;
    const enough = (this.#answered[last] as number[]).map((answered) => answered + blocks);
    const deadline = elapsed() + LATE_MS;
    while (enough.some((wanted, lane) => (this.#answered[last]?.[lane] as number) < wanted)) {
      if (elapsed() > deadline) throw new Error('Writes are not answered.');
      await pause(1);
    }
  }

  async stop(): Promise<void> {
    this.#stop = true;
    await Promise.race([Promise.all(this.#lanes), pause(1_000, undefined, { ref: false })]);
    for (const client of this.#clients) await client.close();
  }

  async #write(lane: number): Promise<void> {
    for (let count = 1; !this.#stop; count += 1) {
      for (const [volume, client] of this.#clients.entries()) {
        const begun = elapsed();
        await this.#persist(client, (lane * BLOCKS + (count % BLOCKS)) * BLOCK_BYTES, content(lane, volume, count));
        this.longestMs = Math.max(this.longestMs, elapsed() - begun);
        (this.#answered[volume] as number[])[lane] = count;
        if (this.#stop) return;
      }
    }
  }

  async #persist(client: VolumeClient, at: number, block: Buffer): Promise<void> {
    while (!this.#stop) {
      try {
        return await client.write(at, block);
      } catch {
        this.failed += 1;
        await pause(2);
      }
    }
  }
}

/** What is wrong with copies of the volumes, in order; null when they are of one moment, which was not before `answered`. */
export async function disorder(paths: readonly string[], answered: Newest): Promise<string | null> {
  const newest: (readonly number[])[] = [];
  for (const [volume, path] of paths.entries()) {
    const found = await newestIn(path, volume);
    if (typeof found === 'string') return found;
    newest.push(found);
  }
  for (let lane = 0; lane < LANES; lane += 1) {
    const of = newest.map((lanes) => lanes[lane] as number);
    const [first = 0] = of;
    if (of.some((count, volume) => volume > 0 && count > (of[volume - 1] as number)) || first > (of.at(-1) ?? 0) + 1)
      return `lane ${lane} shows ${of.join(', ')}`;
    if (of.some((count, volume) => count < (answered[volume]?.[lane] as number)))
      return `lane ${lane} has lost a write`;
  }
  return null;
}

async function newestIn(path: string, volume: number): Promise<readonly number[] | string> {
  const file = await open(path, 'r');
  try {
    const bytes = LANES * BLOCKS * BLOCK_BYTES;
    const { buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
    const newest = Array.from({ length: LANES }, () => 0);
    for (let at = 0; at < bytes; at += BLOCK_BYTES) {
      const block = buffer.subarray(at, at + BLOCK_BYTES);
      const count = block.readUInt32LE(0);
      const lane = Math.floor(at / (BLOCKS * BLOCK_BYTES));
      if (count === 0) continue;
      if (!block.equals(content(lane, volume, count))) return `block at ${at} of volume ${volume} is torn`;
      newest[lane] = Math.max(newest[lane] as number, count);
    }
    return newest;
  } finally {
    await file.close();
  }
}

/** No two writes have the same. */
function content(lane: number, volume: number, count: number): Buffer {
  const words = new Uint32Array(BLOCK_BYTES / 4).fill(count);
  words[1] = lane;
  words[2] = volume;
  return Buffer.from(words.buffer);
}
