/**
 * A coalesced question to the database: put once for all who ask it in one turn of the event loop. It is sent at the end of that
 * turn, after each of them asked, so each sees what was committed until then; whoever asks later has another sent.
 */
export function onceATurn<T>(ask: () => Promise<T>): () => Promise<T> {
  let next: Promise<T> | undefined;
  return () => {
    next ??= new Promise((resolve) => {
      setImmediate(() => {
        next = undefined;
        resolve(ask());
      });
    });
    return next;
  };
}
