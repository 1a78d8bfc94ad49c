/**
 * Memory outside of V8's heap: each chunk that is compressed or restored leaves a buffer there.
 *
 * V8 looks for those that nobody uses any more when 64 MiB of them have come together. Beside two buffers of packs that is more than a copy
 * may take in all: 182 MiB, with a look after every 24 MiB 142, for a twelfth more of CPU (after every 16 MiB 133, for a sixth). Only a major
 * collection finds them.
 */
const OFTEN_BYTES = 24 * 1024 ** 2;

let made = 0;

/** So many bytes were made outside. It does something only where the program was started with `--expose-gc`. */
export function madeOutside(bytes: number): void {
  made += bytes;
  if (made < OFTEN_BYTES) return;
  made = 0;
  globalThis.gc?.({ type: 'major', execution: 'sync' });
}
