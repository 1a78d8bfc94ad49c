/**
 * Taking a file away, and its space with it, so that nobody waits for it: a small one here (`small-files.ts`), any other by a child process.
 */
import type { Exec } from '../../lib/exec.ts';
import { COPY_LIMIT_MS } from './file-copy.ts';
import { removeIfThere, statOf } from './publish.ts';
import { isSmall } from './small-files.ts';

/** Done when there is no such file. */
export async function free(exec: Exec, path: string, signal: AbortSignal): Promise<void> {
  const file = await statOf(path);
  if (file === null) return;
  if (isSmall(file)) await removeIfThere(path);
  else await exec(['rm', '-f', '--', path], { signal, timeoutMs: COPY_LIMIT_MS });
}
