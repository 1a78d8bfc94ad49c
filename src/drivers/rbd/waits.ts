/** Waits that end early, and keep no process alive. Milliseconds. */

export function onAbort(signal: AbortSignal, listener: () => void): void {
  if (signal.aborted) listener();
  else signal.addEventListener('abort', listener, { once: true });
}

/** False: it was stopped before. */
export function waitedFor(ms: number, stop: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(true), ms);
    timer.unref();
    onAbort(stop, () => {
      clearTimeout(timer);
      resolve(false);
    });
  });
}

/** Whether it is settled, well or not, before so much time has passed. */
export async function isSettled(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const stop = new AbortController();
  const settled = promise.then(
    () => true,
    () => true,
  );
  const late = waitedFor(ms, stop.signal).then(() => false);
  return await Promise.race([settled, late]).finally(() => stop.abort());
}
