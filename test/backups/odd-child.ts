/**
 * The process that copies, with an oddity that lies in the file `oddity` beside its store: it dies or freezes at a change of the store, or
 * finds the store silent. Its id goes into the file `child`. Packs are small.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { DirectoryStore } from '../../src/backups/stores/directory-store.ts';
import type { BackupStore } from '../../src/backups/stores/store.ts';
import { type BackupWork, doWork } from '../../src/backups/work.ts';
import { exec } from '../../src/lib/exec.ts';

export interface Oddity {
  readonly does: 'die' | 'freeze' | 'wait';
  /** Before or after the change of this number, or after it was told. */
  readonly when: 'before' | 'after' | 'told';
  /** From 0. */
  readonly change: number;
}

const work = JSON.parse(await text(process.stdin)) as BackupWork;
const address = work.order.place.store;
if (address.kind !== 'directory') throw new TypeError('It is odd in a directory only.');
const beside = dirname(address.path);
const file = join(beside, 'oddity');
const oddity = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Oddity) : null;
writeFileSync(join(beside, 'child'), String(process.pid));

const happens = async (when: Oddity['when'], change: number): Promise<void> => {
  if (oddity?.when !== when || oddity.change !== change) return;
  if (oddity.does === 'wait') await new Promise(() => {});
  process.kill(process.pid, oddity.does === 'die' ? 'SIGKILL' : 'SIGSTOP');
};

function odd(store: BackupStore): BackupStore {
  let puts = 0;
  const put = store.put.bind(store);
  store.put = async (...call) => {
    const change = puts++;
    await happens('before', change);
    await put(...call);
    await happens('after', change);
  };
  return store;
}

let bites = 0;
process.stdout.on('error', () => process.exit(1));
await doWork(
  work,
  (told) => {
    process.stdout.write(`${JSON.stringify(told)}\n`);
    if ('bite' in told) void happens('told', bites++);
  },
  {
    exec,
    storeAt: async () => odd(new DirectoryStore(address.path, 2 * 1024 ** 2)),
    signal: new AbortController().signal,
  },
);
