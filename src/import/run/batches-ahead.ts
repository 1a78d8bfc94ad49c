/** Batches of an import on their way: one is read while another is written, and what is done with is collected before more comes. */

/** The next is read while one is written. */
export async function* ahead<T>(all: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = all[Symbol.asyncIterator]();
  let next = iterator.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done) return;
      next = iterator.next();
      // Whoever awaits it hears of it.
      next.catch(() => {});
      yield value;
    }
  } finally {
    await next.catch(() => {});
    await iterator.return?.();
  }
}

/**
 * A batch that has become garbage is old by then, and V8 lets it grow to four times what lives before it looks. So it is made to look: at the same
 * size however many rows there are. Without `--expose-gc` V8 does as it likes.
 */
export function collect(): void {
  if (process.memoryUsage().heapUsed > HEAP_BYTES) globalThis.gc?.({ type: 'major', execution: 'sync' });
}

const HEAP_BYTES = 40 << 20;
