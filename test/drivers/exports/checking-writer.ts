/**
 * A client that checks: it keeps many writes under way, and reads each back from the backend the moment it is answered. What was
 * answered and is not there is lost.
 */
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { elapsed } from '../../../src/lib/clock.ts';

/** How a machine writes to a volume that is opened to it. */
export interface VolumeClient {
  write(at: number, data: Buffer): Promise<void>;
  /** The volume's size as the machine sees it now. */
  bytes(): Promise<number>;
  close(): Promise<void> | void;
}

export interface Written {
  readonly answered: number;
  /** Answered, and not there. */
  readonly lost: number;
  /** Refused by the backend. */
  readonly failed: number;
}

const BLOCK_BYTES = 4096;
/** Of each of the writers that work side by side. */
const BLOCKS = 1024;
const DEPTH = 16;
const LATE_MS = 60_000;

export class CheckingWriter {
  readonly client: VolumeClient;
  /** The longest that a write took since this was last set to 0, ms. */
  longestMs = 0;
  readonly #backing: FileHandle;
  readonly #writers: Promise<void>[];
  #stop = false;
  #answered = 0;
  #lost = 0;
  #failed = 0;

  private constructor(client: VolumeClient, backing: FileHandle, depth: number) {
    this.client = client;
    this.#backing = backing;
    this.#writers = Array.from({ length: depth }, (_, lane) => this.#write(lane));
  }

  /** Writes to the first 64 MiB, from now on, so many blocks at once. Both are the writer's, and closed by it. */
  static async start(client: VolumeClient, backing: FileHandle, depth = DEPTH): Promise<CheckingWriter> {
    const writer = new CheckingWriter(client, backing, depth);
    await writer.goesOn();
    return writer;
  }

  /** Resolves when so many more writes were answered; rejects when they are not. */
  async goesOn(writes = 2 * DEPTH): Promise<void> {
    const enough = this.#answered + writes;
    const deadline = elapsed() + LATE_MS;
    while (this.#answered < enough) {
      if (elapsed() > deadline) throw new Error(`Writes are not answered: ${JSON.stringify(this.written)}`);
      await pause(1);
    }
  }

  get written(): Written {
    return { answered: this.#answered, lost: this.#lost, failed: this.#failed };
  }

  /** Lets go of the volume, however its writes stand. */
  async stop(): Promise<Written> {
    if (this.#stop) return this.written;
    this.#stop = true;
    await Promise.race([Promise.all(this.#writers), pause(1_000, undefined, { ref: false })]);
    await this.client.close();
    await this.#backing.close();
    return this.written;
  }

  async #write(lane: number): Promise<void> {
    const there = Buffer.alloc(BLOCK_BYTES);
    for (let count = 0; !this.#stop; count += 1) {
      const at = (lane * BLOCKS + (count % BLOCKS)) * BLOCK_BYTES;
      const block = content(lane, count);
      await this.#persist(at, block);
      if (this.#stop) return;
      await this.#backing.read(there, 0, BLOCK_BYTES, at);
      if (!there.equals(block)) this.#lost += 1;
      this.#answered += 1;
    }
  }

  /** As a file system would: what failed is written again. */
  async #persist(at: number, block: Buffer): Promise<void> {
    while (!this.#stop) {
      const begun = elapsed();
      try {
        await this.client.write(at, block);
        this.longestMs = Math.max(this.longestMs, elapsed() - begun);
        return;
      } catch {
        this.#failed += 1;
        await pause(2);
      }
    }
  }
}

/** No two writes have the same. */
function content(lane: number, count: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES, (count % 251) + 1);
  block.writeUInt32BE(lane, 0);
  block.writeUInt32BE(count, 4);
  return block;
}
