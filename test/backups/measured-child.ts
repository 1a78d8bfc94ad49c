/** The process that copies, restores or verifies, as it is; at its end it adds how much memory it has had, KiB, to the file that `PEAKS` names. */
import { appendFileSync, readFileSync } from 'node:fs';

process.on('exit', () => {
  const [, kib = ''] = /^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  appendFileSync(process.env.PEAKS ?? '', `${kib}\n`);
});
await import('../../src/backups/backup-child.ts');
