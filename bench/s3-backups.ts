/** How much memory a copy to a bucket takes, and a restore from there: a real S3 server (radosgw), in packs that cannot be compressed. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BackupPlace, Bite } from '../src/backups/backups.ts';
import { makeBackups } from '../src/backups/make-backups.ts';
import { exec } from '../src/lib/exec.ts';
import { noRadosgw, Radosgw } from '../test/compat/radosgw-process.ts';
import { MIB } from './backup-disks.ts';
import type { Part } from './part.ts';
import { quantity, type Result } from './report.ts';
import type { World } from './world.ts';

/** Four packs, and little enough for the server, which keeps all in memory. */
const NOISE_MIB = 64;
const ROOT = join(import.meta.dirname, '..');
const child = join(ROOT, 'test/backups/measured-child.ts');
const NODE_COMPILE_CACHE = join(ROOT, 'node_modules/.cache/pumice');

export const s3Backups: Part = {
  limit: 'The packs that are under way at once, which no copy does without.',
  measure: measureS3Backups,
};

async function measureS3Backups(world: World): Promise<Result[]> {
  const figure = 'peak memory of a copy to S3, or a restore from there';
  if (noRadosgw !== false) return [{ figure, skipped: noRadosgw }];
  const directory = join(world.directory, `s3-${world.next()}`);
  mkdirSync(directory);
  const radosgw = await Radosgw.start();
  try {
    // The first compiles what children load.
    await peakMib(radosgw, directory);
    const peaks: number[] = [];
    for (let round = 0; round < world.rounds; round += 1) peaks.push(await peakMib(radosgw, directory));
    return [{ figure, measured: quantity(peaks, 'MiB'), wanted: { of: 'measured', atMost: 200 } }];
  } finally {
    await radosgw.remove();
  }
}

async function peakMib(radosgw: Radosgw, directory: string): Promise<number> {
  const PEAKS = join(directory, 'peaks');
  writeFileSync(PEAKS, '');
  const backups = makeBackups({
    child,
    exec: (argv, options) =>
      exec(argv, { ...options, environment: { ...options.environment, NODE_COMPILE_CACHE, PEAKS } }),
  });
  const [source, target] = [join(directory, 'source'), join(directory, 'target')];
  const bytes = NOISE_MIB * MIB;
  writeFileSync(source, randomBytes(bytes));
  writeFileSync(target, '');
  truncateSync(target, bytes);
  const bucket = await radosgw.makeBucket();
  const { signal } = new AbortController();
  const quiet = { signal, progress: () => {}, waiting: () => {} };
  const place: BackupPlace = { store: radosgw.address(bucket), scope: 'one', keys: [], backupId: 'a' };
  const bites: Bite[] = [];
  await backups.openScope(place, null, signal);
  await backups.copy(
    {
      place,
      attempt: 1,
      source: { uri: `file:${source}`, bytes },
      parentId: null,
      changed: null,
      base: null,
      bites: [],
      patienceMs: 60_000,
    },
    { ...quiet, bite: (bite) => void bites.push(bite) },
  );
  const written = { parentId: null, bytes, bites, createdAt: '2026-01-01T00:00:00.000000', metadata: {} } as const;
  await backups.writeManifest({ place, ...written }, signal);
  await backups.restore(
    { place, target: { uri: `file:${target}`, bytes, isEmpty: true }, doneBytes: 0, patienceMs: 60_000 },
    { ...quiet, done: () => {} },
  );
  execFileSync('cmp', [source, target]);
  await radosgw.removeBucket(bucket);
  return Math.max(...readFileSync(PEAKS, 'utf8').trim().split('\n').map(Number)) / 1024;
}
