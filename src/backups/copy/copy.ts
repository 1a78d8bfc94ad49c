/**
 * A copy: the chunks of a source into packs, each of which ends with what became known with it.
 *
 * Where the source may differ from the parent can be told by whoever took the snapshots. That is believed, but not blindly: of some
 * chunks that are said to be the same the content is compared with the parent's digest, and a base is compared with it before pages are
 * laid over it. One difference, and everything is read and compared, from the first chunk on and by every later attempt.
 */
import { randomInt } from 'node:crypto';
import { CLOCK, type Clock } from '../../lib/clock.ts';
import { errno } from '../../lib/errno.ts';
import type { Exec } from '../../lib/exec.ts';
import { BackupFailed } from '../../model/errors.ts';
import type { BackupSource, CopyOrder, CopyOutcome, CopyWatch } from '../backups.ts';
import { standing } from '../bites.ts';
import { ByteRate } from '../byte-rate.ts';
import type { Manifest } from '../format/manifest.ts';
import { CHUNK_BYTES, SEGMENT_CHUNKS } from '../format/segment.ts';
import { readManifest, readSegment, readTrailer } from '../read.ts';
import type { OpenScope } from '../scope.ts';
import { Earlier } from './earlier.ts';
import { type Lost, lostOf } from './lost.ts';
import { Packer } from './packer.ts';
import { Distrusted, Passage } from './passage.ts';
import { type Plan, planOf, SAME } from './plan.ts';
import { FileSource } from './source.ts';

/** Of what is said to be the same every hundredth chunk is looked at, but so many at least and at most, in so many segments. */
const FEWEST_SAMPLES = 16;
const MOST_SAMPLES = 64;
const SAMPLED_SEGMENTS = 16;

export async function copy(
  scope: OpenScope,
  order: CopyOrder,
  watch: CopyWatch,
  exec: Exec,
  clock: Clock = CLOCK,
): Promise<CopyOutcome> {
  const source = await FileSource.open(order.source);
  try {
    const base = order.base === null ? null : await openBase(order.base);
    try {
      return await copyFrom({ source, base }, scope, order, watch, exec, clock);
    } finally {
      await base?.close();
    }
  } finally {
    await source.close();
  }
}

/** Null: it was dropped, which may be done at any time. What is told to have changed since is so all the same. */
function openBase(base: BackupSource): Promise<FileSource | null> {
  return FileSource.open(base).catch((error: unknown) => {
    if (error instanceof BackupFailed && errno(error.cause) === 'ENOENT') return null;
    throw error;
  });
}

/** What a passage is told: where to look, what for pages are laid over, what is done already. */
type Belief = Pick<CopyOrder, 'changed' | 'bites'> & { readonly base: FileSource | null };

async function copyFrom(
  { source, base }: { readonly source: FileSource; readonly base: FileSource | null },
  scope: OpenScope,
  {
    place,
    attempt,
    parentId,
    changed,
    damaged = [],
    bites: recorded,
    earlier: before = [],
    bytesPerSecond = 0,
  }: CopyOrder,
  watch: CopyWatch,
  exec: Exec,
  clock: Clock,
): Promise<CopyOutcome> {
  const { signal } = watch;
  const bites = standing(recorded);
  const parent = parentId === null ? null : await readManifest(scope, parentId, signal);
  const lost = await lostOf(scope, parent, damaged, signal);
  const earlier = new Earlier({ scope, bites: before, parent, lost, signal });
  const extents = await source.extents(exec, signal);
  const packer = new Packer({ scope, backupId: place.backupId, attempt, signal, bite: (bite) => watch.bite(bite) });
  const rate = new ByteRate(clock, bytesPerSecond);
  let readBytes = 0;

  async function pass(belief: Belief): Promise<void> {
    const believes = parent !== null && belief.changed !== null;
    const parentChunks = parent === null ? 0 : parent.bytes / CHUNK_BYTES;
    const changed = believes ? [...(belief.changed ?? []), ...lost.ranges] : null;
    const plan = planOf({ chunks: source.chunks, extents, changed, parentChunks });
    if (believes && belief.bites.length === 0) await sample(scope, source, parent, lost, plan, signal);
    const passage = new Passage({
      scope,
      source,
      parent,
      lost,
      earlier,
      plan,
      believes,
      packer,
      watch,
      rate,
      ...belief,
    });
    packer.begin(passage.start, { readsAll: !believes });
    try {
      await passage.run();
    } finally {
      readBytes += passage.readBytes;
      await packer.settle();
    }
  }
  const ended = (way: CopyOutcome['way'], distrusted = false): CopyOutcome => {
    return { way, distrusted, readBytes, storedBytes: packer.storedBytes };
  };

  const nothing = { changed: null, base: null };
  if (parent === null) {
    await pass({ ...nothing, bites });
    return ended('full');
  }
  if (changed !== null && (await hasReadAll(scope, bites, signal))) {
    await pass({ ...nothing, bites });
    return ended('digests', true);
  }
  try {
    await pass({ changed, base, bites });
    return ended(changed === null ? 'digests' : 'map');
  } catch (error) {
    if (!(error instanceof Distrusted)) throw error;
  }
  await pass({ ...nothing, bites: [] });
  return ended('digests', true);
}

/** Whether an earlier attempt has found that it cannot believe what it was told. */
async function hasReadAll(scope: OpenScope, bites: CopyOrder['bites'], signal: AbortSignal): Promise<boolean> {
  const last = bites.at(-1);
  return last !== undefined && (await readTrailer(scope, last, signal)).readsAll;
}

/** Rejects with `Distrusted` when one of some chunks that are said to be as in the parent is not. */
async function sample(
  scope: OpenScope,
  source: FileSource,
  parent: Manifest,
  lost: Lost,
  { actions }: Plan,
  signal: AbortSignal,
): Promise<void> {
  const hundredth = Math.round(actions.reduce((sum, action) => sum + (action === SAME ? 1 : 0), 0) / 100);
  const wanted = Math.min(Math.max(hundredth, FEWEST_SAMPLES), MOST_SAMPLES);
  const stored = parent.segments.flatMap((segment, index) =>
    segment === null || lost.unreadable.has(index) ? [] : [index],
  );
  const sampled = someOf(stored, SAMPLED_SEGMENTS);
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  for (const index of sampled) {
    const chunks = await readSegment(scope, parent, index, signal);
    const same = chunks.flatMap((chunk, at) => {
      const place = index * SEGMENT_CHUNKS + at;
      return chunk !== null && actions[place] === SAME ? [{ place, chunk }] : [];
    });
    for (const { place, chunk } of someOf(same, Math.ceil(wanted / sampled.length)))
      if (scope.sealing.idOf(await source.read(place, buffer)) !== chunk.id) throw new Distrusted();
  }
}

/** At random, each at most once. */
function someOf<T>(all: readonly T[], count: number): T[] {
  const left = [...all];
  const some: T[] = [];
  while (some.length < count && left.length > 0) some.push(...left.splice(randomInt(left.length), 1));
  return some;
}
