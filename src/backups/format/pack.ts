/**
 * A pack that is being filled: records one after the other in a buffer that is used again for the next, then the trailer.
 *
 * What is about to be sent is read once more as whoever restores will read it: its trailer, its last record and another. A buffer that
 * was too small, or used too early, would else be seen years later.
 */
import { randomInt } from 'node:crypto';
import { BackupFailed } from '../../model/errors.ts';
import { giveBack } from '../outside-heap.ts';
import { documentBytes, TAIL_BYTES } from './document.ts';
import { decodeRecord, encodeRecord, type RecordRef } from './record.ts';
import { type Sealing, sha256 } from './sealing.ts';
import { decodeTrailer, encodeTrailer, type Trailer } from './trailer.ts';

/** Above what is for the records of chunks: the records of segments that end in it, and the trailer. */
const SPARE_BYTES = 4 * 1024 ** 2;

/** To be sent. */
export interface FilledPack {
  readonly name: string;
  /** Lies in the buffer, and is right until that is begun again. */
  readonly body: Buffer;
  readonly sha256: string;
}

export class PackBuffer {
  readonly #buffer: Buffer;
  readonly #packBytes: number;
  readonly #sealing: Sealing;
  #name = '';
  #used = 0;
  #records: RecordRef[] = [];

  /** `packBytes`: where records of chunks stop, but for the first. */
  constructor(sealing: Sealing, packBytes: number) {
    this.#sealing = sealing;
    this.#packBytes = packBytes;
    this.#buffer = Buffer.allocUnsafeSlow(packBytes + SPARE_BYTES);
  }

  begin(name: string): void {
    this.#name = name;
    this.#used = 0;
    this.#records = [];
  }

  /** Whether the record of a chunk fits, however little it can be compressed. */
  hasRoomFor(plainBytes: number): boolean {
    return this.#used === 0 || this.#used + plainBytes + this.#sealing.overhead <= this.#packBytes;
  }

  /** `id`: of `plain`, where it is known. */
  add(plain: Buffer, id?: string): RecordRef {
    const { body, ...record } = encodeRecord(this.#sealing, plain, id);
    const ref = { ...record, pack: this.#name, at: this.#used, bytes: body.length };
    this.#append(body);
    if (body !== plain) giveBack(body);
    this.#records.push(ref);
    return ref;
  }

  close(rest: Omit<Trailer, 'records'>): FilledPack {
    this.#append(encodeTrailer(this.#sealing, this.#name, { ...rest, records: this.#records }));
    const body = this.#buffer.subarray(0, this.#used);
    this.#readAgain(body, rest);
    return { name: this.#name, body, sha256: sha256(body) };
  }

  #append(bytes: Buffer): void {
    if (this.#used + bytes.length > this.#buffer.length)
      throw new BackupFailed(`Pack ${this.#name} has no room for ${bytes.length} bytes after ${this.#used}.`);
    bytes.copy(this.#buffer, this.#used);
    this.#used += bytes.length;
  }

  #readAgain(body: Buffer, { changes, segments }: Omit<Trailer, 'records'>): void {
    const trailer = decodeTrailer(this.#sealing, this.#name, body.subarray(-documentBytes(body.subarray(-TAIL_BYTES))));
    const { length } = this.#records;
    if (
      trailer.records.length !== length ||
      trailer.changes.length !== changes.length ||
      trailer.segments.length !== segments.length
    )
      throw new BackupFailed(`Pack ${this.#name} does not say what is in it.`);
    for (const index of length === 0 ? [] : [length - 1, randomInt(length)]) {
      const ref = trailer.records[index] as RecordRef;
      const record = body.subarray(ref.at, ref.at + ref.bytes);
      const plain = decodeRecord(this.#sealing, ref, record);
      if (plain.buffer !== record.buffer) giveBack(plain);
    }
  }
}
