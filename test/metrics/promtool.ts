/** Prometheus' own opinion of what we write. */
import { spawnSync } from 'node:child_process';

const tried = spawnSync('promtool', ['--version']);
/** Why it cannot be asked; undefined when it can. */
export const noPromtool: string | undefined = tried.error === undefined ? undefined : 'promtool is not installed';

/** What it says of a text, or of files; empty when nothing. */
export function promtool(args: readonly string[], input = ''): { readonly code: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  return { code: status, said: `${stdout}${stderr}`.trim() };
}
