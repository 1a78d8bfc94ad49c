/** The content of a file of a backend, read piece by piece: each is an operation, with the look at the directory and errors in words. */
import type { Content } from '../../lib/file-content.ts';
import type { FileStore } from './file-store.ts';

/** `doing`: `read volume …`, for errors. */
export function readingFrom(store: FileStore, doing: string, { bytes, read }: Content): Content {
  return { bytes, read: (signal) => pieces(store, doing, read(signal)[Symbol.asyncIterator](), signal) };
}

async function* pieces(
  store: FileStore,
  doing: string,
  content: AsyncIterator<Buffer>,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    for (;;) {
      const piece = await store.doing(doing, signal, () => content.next());
      if (piece.done) return;
      yield piece.value;
    }
  } finally {
    await content.return?.();
  }
}
