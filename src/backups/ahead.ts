/** Read-ahead, bounded: what comes next is read while what came is worked on. */

/**
 * The results of `begin`, in order, at most `depth` of them unfinished or not yet taken. When its reader stops, what had been begun is
 * waited for, so that nothing of it is used by anybody any more.
 */
export async function* ahead<Item, Result>(
  items: Iterable<Item>,
  depth: number,
  begin: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const begun: Promise<Result>[] = [];
  try {
    for (const item of items) {
      const one = begin(item);
      // It may fail before it is its turn.
      one.catch(() => {});
      begun.push(one);
      if (begun.length >= depth) yield await (begun.shift() as Promise<Result>);
    }
    while (begun.length > 0) yield await (begun.shift() as Promise<Result>);
  } finally {
    await Promise.allSettled(begun);
  }
}
