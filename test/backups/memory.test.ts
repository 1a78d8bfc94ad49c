/** How much memory a copy and a restore take, as the kernel counts it for their processes. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BackupSource, Bite } from '../../src/backups/backups.ts';
import { makeBackups } from '../../src/backups/make-backups.ts';
import { exec } from '../../src/lib/exec.ts';
import { inTime } from '../in-time.ts';
import { backupWorld, MIB, NEVER } from './backup-world.ts';

const NODE_COMPILE_CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'pumice');
const CHILD = join(import.meta.dirname, 'measured-child.ts');
const MOST_MIB = 160;
/** Eight packs, none of which can be compressed. */
const NOISE = 128;
const TIB = 1024 ** 4;

test('a copy and a restore of a volume of 1 TiB take no more than 160 MiB of memory', async () => {
  const world = await backupWorld();
  try {
    const PEAKS = join(world.path, 'peaks');
    const backups = makeBackups({
      child: CHILD,
      exec: (argv, options) =>
        exec(argv, { ...options, environment: { ...options.environment, NODE_COMPILE_CACHE, PEAKS } }),
    });
    const peaksOf = async (work: () => Promise<unknown>): Promise<number> => {
      await inTime('it', work());
      return Number(readFileSync(PEAKS, 'utf8').trim().split('\n').at(-1)) / 1024;
    };
    const quiet = { signal: NEVER, progress: () => {}, waiting: () => {} };
    const copied = async (backupId: string, source: BackupSource): Promise<void> => {
      const bites: Bite[] = [];
      const order = { place: world.place(backupId), parentId: null, bytes: source.bytes, bites };
      const how = { attempt: 1, source, changed: null, base: null, patienceMs: 0 };
      await backups.copy({ ...order, ...how, bites: [] }, { ...quiet, bite: (bite) => void bites.push(bite) });
      await backups.writeManifest({ ...order, createdAt: '2026-01-31T12:00:00.000000', metadata: null }, NEVER);
    };
    const small = await world.file('small', MIB, []);
    // Whoever compiles what children load first takes more.
    await peaksOf(() => copied('small', { uri: `file:${small}`, bytes: MIB }));

    const file = await world.file('v', MIB, []);
    for (let at = 0; at < NOISE; at += 1) appendFileSync(file, randomBytes(MIB));
    truncateSync(file, TIB);
    const copy = await peaksOf(() => copied('a', { uri: `file:${file}`, bytes: TIB }));
    const target = { uri: `file:${await world.file('target', MIB, [])}`, bytes: TIB, isEmpty: true };
    truncateSync(target.uri.slice('file:'.length), TIB);
    const restore = await peaksOf(() =>
      backups.restore({ place: world.place('a'), target, doneBytes: 0, patienceMs: 0 }, { ...quiet, done: () => {} }),
    );
    assert.ok(copy <= MOST_MIB && restore <= MOST_MIB, `a copy took ${copy} MiB, a restore ${restore}`);
    assert.ok(Math.min(copy, restore) > 40, 'they are measured');
  } finally {
    await world.remove();
  }
});
