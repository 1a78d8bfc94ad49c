/**
 * The record of a server's lives and how each ended, in a small file of its data directory: the last lines of the log may be
 * lost, and a supervisor brings the next life up before anybody looks.
 *
 * The file has one size for ever, so that its room is there when the disk is full, and is held open, so that a process that
 * may open no more files can still write. Nothing here waits for anything but the disk.
 *
 * It is written in place: after a power cut in mid-write it may be unreadable, and then says nothing.
 */
import { closeSync, constants, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { now, type Timestamp } from './clock.ts';

export interface Life {
  /** Of the process, as flows name their owner. */
  readonly process: string;
  readonly pid: number;
  readonly began_at: Timestamp;
  /** Undefined while it lives, and when it was killed. */
  readonly ended_at?: Timestamp;
  /** The error that ended it. */
  readonly error?: Fatal;
  /** The doctor has told how it ended. */
  readonly told?: true;
}

export interface Fatal {
  readonly type: string;
  readonly message: string;
  /** How much was in flight. The log has it by name. */
  readonly flows: number;
  readonly requests: number;
}

/** Bytes. */
const SIZE = 16_384;
/** The present one and those that ended by an error. */
const KEPT = 8;
const LONGEST_TYPE = 100;
const LONGEST_MESSAGE = 500;

export class LifeRecord {
  readonly #fd: number;
  readonly #process: string;

  /** Throws what the system says when the file cannot be made or written. */
  constructor(path: string, process: { readonly process: string; readonly pid: number }) {
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o640);
    this.#process = process.process;
    try {
      const before = read(this.#fd);
      this.before = before.at(-1);
      write(this.#fd, [...before.filter(({ error }) => error), { ...process, began_at: now() }]);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** The life before this one. */
  readonly before: Life | undefined;

  /** One of the two that follow is called, and once. */
  died(error: unknown, inFlight: Pick<Fatal, 'flows' | 'requests'>): void {
    const { name, message } = error instanceof Error ? error : { name: typeof error, message: String(error) };
    this.#end({ type: name.slice(0, LONGEST_TYPE), message: message.slice(0, LONGEST_MESSAGE), ...inFlight });
  }

  /** It ends in order; nothing is to be said of it. */
  ended(): void {
    this.#end(undefined);
  }

  #end(error: Fatal | undefined): void {
    try {
      const lives = read(this.#fd).map((life) =>
        life.process === this.#process ? { ...life, ended_at: now(), ...(error && { error }) } : life,
      );
      write(this.#fd, lives);
    } finally {
      closeSync(this.#fd);
    }
  }
}

/** Lives that ended by an error and that nobody was told of by `markTold`, oldest first. */
export function untoldDeaths(path: string): readonly Life[] {
  return within(path, constants.O_RDONLY, read).filter(({ error, told }) => error && !told);
}

export function markTold(path: string, processes: ReadonlySet<string>): void {
  within(path, constants.O_RDWR, (fd) => {
    write(
      fd,
      read(fd).map((life) => (processes.has(life.process) ? { ...life, told: true } : life)),
    );
    return [];
  });
}

function within(path: string, flags: number, work: (fd: number) => readonly Life[]): readonly Life[] {
  let fd: number;
  try {
    fd = openSync(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
}

function read(fd: number): readonly Life[] {
  const buffer = Buffer.alloc(SIZE);
  const length = readSync(fd, buffer, 0, SIZE, 0);
  try {
    const { lives } = JSON.parse(buffer.toString('utf8', 0, length)) as { readonly lives: readonly Life[] };
    return lives.filter((life) => typeof life.process === 'string');
  } catch {
    return [];
  }
}

function write(fd: number, lives: readonly Life[]): void {
  for (let kept = lives.slice(-KEPT); ; kept = kept.slice(1)) {
    const text = JSON.stringify({ lives: kept });
    const room = SIZE - 1 - Buffer.byteLength(text);
    if (room < 0) continue;
    try {
      writeSync(fd, `${text}${' '.repeat(room)}\n`, 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      // Btrfs writes nothing in place. What is short needs no block of its own there.
      ftruncateSync(fd);
      writeSync(fd, JSON.stringify({ lives: kept.slice(-1) }), 0);
    }
    fsyncSync(fd);
    return;
  }
}
