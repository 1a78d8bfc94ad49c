/**
 * The process that copies, restores or verifies one backup (`work.ts`), and ends. What it may know comes on its standard input. When
 * nobody reads what it tells any more it ends as well.
 */
import { text } from 'node:stream/consumers';
import { exec } from '../lib/exec.ts';
import { storeAt } from './stores/store-at.ts';
import { type BackupWork, doWork } from './work.ts';

process.stdout.on('error', () => process.exit(1));
const work = JSON.parse(await text(process.stdin)) as BackupWork;
await doWork(work, (told) => process.stdout.write(`${JSON.stringify(told)}\n`), {
  exec,
  storeAt,
  signal: new AbortController().signal,
});
