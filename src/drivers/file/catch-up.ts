/** A copy of a volume follows what is written to it, from one moment to a later one. How is told in `catch-up.pl`. */
import { join } from 'node:path';
import type { Exec } from '../../lib/exec.ts';
import { COPY_LIMIT_MS } from './file-copy.ts';

const CATCH_UP = join(import.meta.dirname, 'catch-up.pl');

export interface CatchingUp {
  /** What `target` holds. It shares its blocks with `later`. */
  readonly before: string;
  readonly later: string;
  readonly target: string;
  /** 0: as fast as it goes. */
  readonly bytesPerSecond: number;
}

/** Resolves with how many bytes differed. `target` is durable then. */
export async function catchUp(
  exec: Exec,
  { before, later, target, bytesPerSecond }: CatchingUp,
  signal: AbortSignal,
): Promise<number> {
  const argv = ['perl', CATCH_UP, before, later, target, String(bytesPerSecond)] as const;
  return Number(await exec(argv, { signal, timeoutMs: COPY_LIMIT_MS }));
}
