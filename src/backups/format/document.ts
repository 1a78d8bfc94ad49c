/**
 * A document: JSON that is compressed and sealed, with its own digest and its length behind it. The end of a pack is one, and a
 * manifest is nothing else. What follows the body is
 *
 *     SHA-256 of the body (32 bytes) │ length of the body (4 bytes, the least significant first) │ "PUMICE1\n"
 *
 * so that it is found from the end, and that damage is seen without a key.
 */
import type { Json } from '../../lib/json.ts';
import { BackupDamaged, BackupFormatTooNew } from '../../model/errors.ts';
import { compressed, decompressed } from './record.ts';
import { type Sealing, sha256 } from './sealing.ts';

/** Raised when a reader of before could misread what is written. */
export const FORMAT = 1;

const MAGIC = Buffer.from('PUMICE1\n');
const DIGEST_BYTES = 32;
/** What follows the body. */
export const TAIL_BYTES = DIGEST_BYTES + 4 + MAGIC.length;
/** Decompressed. The manifest of a volume of 64 TiB in packs that hold one chunk each has less than half. */
const MOST_BYTES = 512 * 1024 ** 2;

export type Document = { readonly format: number } & { readonly [key: string]: Json };

/** The same bytes for the same document. `what`: `manifest of ID`, `trailer of PACK`. */
export function encodeDocument(sealing: Sealing, what: string, document: Document): Buffer {
  const body = sealing.seal(compressed(Buffer.from(JSON.stringify(document))), what, { repeatable: true });
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length);
  return Buffer.concat([body, Buffer.from(sha256(body), 'hex'), length, MAGIC]);
}

/** How many bytes the document has that ends with these. Throws `BackupDamaged` when none does. */
export function documentBytes(end: Buffer): number {
  const tail = end.subarray(-TAIL_BYTES);
  if (tail.length < TAIL_BYTES || !tail.subarray(-MAGIC.length).equals(MAGIC))
    throw new BackupDamaged('It does not end as it should.');
  return tail.readUInt32LE(DIGEST_BYTES) + TAIL_BYTES;
}

/** Of the document that ends where `bytes` do. Throws `BackupDamaged`, `BackupFormatTooNew`. */
export function decodeDocument(sealing: Sealing, what: string, bytes: Buffer): Document {
  const whole = documentBytes(bytes);
  if (whole > bytes.length) throw new BackupDamaged('Its beginning is missing.');
  const body = bytes.subarray(-whole, -TAIL_BYTES);
  if (sha256(body) !== bytes.subarray(-TAIL_BYTES).toString('hex', 0, DIGEST_BYTES))
    throw new BackupDamaged('It has been changed.');
  return readable(decompressed(sealing.open(body, what), MOST_BYTES).toString());
}

/** Of a text that a release, maybe a newer one, has written. */
export function readable(text: string): Document {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new BackupDamaged('It is no JSON.', { cause: error });
  }
  if (typeof document !== 'object' || document === null || !('format' in document))
    throw new BackupDamaged('It says nothing of its format.');
  const { format } = document;
  if (typeof format !== 'number' || format < 1) throw new BackupDamaged('It says nothing of its format.');
  if (format > FORMAT)
    throw new BackupFormatTooNew(
      `It has format ${format}, and this release reads ${FORMAT}: a newer one has written it.`,
    );
  return document as Document;
}
