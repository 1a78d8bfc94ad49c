/**
 * Events as lines of a file: one envelope a line, for a log shipper or a person.
 *
 * A batch is appended and synced before it counts. A file that log rotation moved away or removed is left alone, and a new
 * one begun. A line that a crash or a full disk cut short is taken back before the next one is written: it was never
 * reported as delivered, so its event comes again, whole.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../lib/sync-directory.ts';
import type { OutboxEvent } from '../model/event.ts';
import type { Delivery, Sink } from './dispatcher.ts';
import { envelope } from './envelope.ts';

export class FileSink implements Sink {
  readonly name = 'file';
  readonly #path: string;
  #file: FileHandle | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  async deliver(events: readonly OutboxEvent[], signal: AbortSignal): Promise<Delivery> {
    signal.throwIfAborted();
    try {
      const file = await this.#current();
      await file.appendFile(events.map((event) => `${JSON.stringify(envelope(event))}\n`).join(''));
      await file.sync();
      return { taken: events, refused: [] };
    } catch (error) {
      // Opened anew next time, and repaired.
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }

  /** The file that has the path now. */
  async #current(): Promise<FileHandle> {
    if (this.#file !== null && !(await isFileAt(this.#file, this.#path))) await this.close();
    this.#file ??= await openRepaired(this.#path);
    return this.#file;
  }
}

async function isFileAt(file: FileHandle, path: string): Promise<boolean> {
  const [ours, theirs] = await Promise.all([file.stat(), stat(path).catch(() => null)]);
  return theirs !== null && theirs.ino === ours.ino && theirs.dev === ours.dev;
}

async function openRepaired(path: string): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, 0o600);
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw new Error(`${path} is not a regular file.`);
    const whole = await lengthOfWholeLines(file, facts);
    if (whole < facts.size) await file.truncate(whole);
    await syncDirectory(dirname(path));
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

const CHUNK = 64 * 1024;
const NEWLINE = 0x0a;

/** Looks for the last newline from the end. */
async function lengthOfWholeLines(file: FileHandle, { size }: Stats): Promise<number> {
  const buffer = Buffer.alloc(Math.min(CHUNK, size));
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - CHUNK);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    const last = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (last >= 0) return start + last + 1;
    end = start;
  }
  return 0;
}
