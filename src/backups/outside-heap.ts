/**
 * Memory outside of V8's heap: each chunk that is read, compressed or restored leaves a buffer there.
 *
 * V8 looks for those that nobody uses any more when 64 MiB of them have come together: each look was more than a copy may take in all, and the looks a
 * quarter of its CPU. So whoever made one gives it back when he is done with it.
 */

/** What is smaller may share its memory with others: Node cuts small buffers from one piece, and sockets read into 64 KiB. */
const FEWEST_BYTES = 64 * 1024;

/**
 * Frees the memory of a buffer that was made for one use, and of all views of it, which have no bytes from then on. Only for whoever knows of all
 * of them, and that nothing is being read into them or written from them.
 */
export function giveBack({ buffer, byteOffset }: Buffer): void {
  if (byteOffset === 0 && buffer instanceof ArrayBuffer && buffer.byteLength > FEWEST_BYTES) buffer.transfer(0);
}
