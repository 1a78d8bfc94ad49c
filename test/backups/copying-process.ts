/** A process that waits for a copy: `node … ORDER`, with the order as JSON. Its child is odd. */
import { join } from 'node:path';
import { makeBackups } from '../../src/backups/make-backups.ts';
import { exec } from '../../src/lib/exec.ts';

const backups = makeBackups({ exec, child: join(import.meta.dirname, 'odd-child.ts') });
const watch = { signal: new AbortController().signal, progress: () => {}, waiting: () => {}, bite: () => {} };
await backups.copy(JSON.parse(process.argv[2] ?? ''), watch);
