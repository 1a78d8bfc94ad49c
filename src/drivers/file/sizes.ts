/**
 * Sizes of files against those of rows. A file matches a size in GiB when its bytes, rounded up to whole GiB, are that size.
 */
import { inGiB } from '../../lib/bytes.ts';
import { BackendObjectMismatch } from '../../model/errors.ts';

export function requireSize(name: string, bytes: number, sizeGiB: number): void {
  if (inGiB(bytes) !== sizeGiB) throw mismatch(name, bytes, sizeGiB);
}

export function mismatch(name: string, bytes: number, sizeGiB: number): BackendObjectMismatch {
  return new BackendObjectMismatch(`${name} is on the backend with ${bytes} bytes, which is not ${sizeGiB} GiB.`);
}
