/**
 * Standard output, of which nothing is lost in silence. A terminal, a pipe and a socket are Node's to write. Of what goes to a file it takes for
 * written what found no room any more, and what goes to a disk it gives to nobody (findings/node-stdout-loses-what-it-is-given.sh): both
 * are written here, to the last byte.
 */
import { fstatSync, fsyncSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import { errno } from '../lib/errno.ts';

const FD = 1;

class WholeOutput extends Writable {
  override _write(piece: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    try {
      for (let at = 0; at < piece.length; ) at += writeSync(FD, piece, at);
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  }
}

export const standardOutput: NodeJS.WritableStream & { readonly isTTY?: boolean } = isNodes()
  ? process.stdout
  : new WholeOutput();

/** What was written is on the disk, where it went to one. */
export function settleOutput(): void {
  try {
    if (!isNodes()) fsyncSync(FD);
  } catch (error) {
    // What is no disk keeps nothing.
    if (errno(error) !== 'EINVAL') throw error;
  }
}

function isNodes(): boolean {
  const output = fstatSync(FD);
  return isatty(FD) || output.isFIFO() || output.isSocket();
}
