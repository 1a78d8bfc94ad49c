/** How often work goes to the file system: each time it waits for a thread of the pool, which costs the event loop 40 to 90 µs. */
import { createHook } from 'node:async_hooks';

export async function fileCalls(work: () => Promise<unknown>): Promise<number> {
  let calls = 0;
  const hook = createHook({
    init: (_id, type) => {
      if (/^(FSREQ|FILEHANDLECLOSEREQ)/.test(type)) calls += 1;
    },
  }).enable();
  try {
    await work();
  } finally {
    hook.disable();
  }
  return calls;
}
