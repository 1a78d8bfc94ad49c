/**
 * Lazy initialization: what is made by the first who wants it, and is the same for all who come later. What has failed is tried again
 * by the next who asks.
 */
export function once<Result>(make: () => Promise<Result>): () => Promise<Result> {
  let made: Promise<Result> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
