/**
 * Which spans of a Cinder's rows are as they were when they were last brought over. Its server hashes all living rows, by the first letters of the
 * ids they go by, in seconds and without sending one; only the spans that differ are read. A span's digest holds whatever its rows of ours are
 * made from: its own rows, those that hang on them and those they hang on, and what was decided of the import.
 */
import { createHash } from 'node:crypto';
import type { SpanDigests } from '../../db/import-spans.ts';
import { type CinderDatabase, PREFIX_LENGTH } from '../cinder/cinder-database.ts';
import type { MapWorld } from '../map/map-world.ts';

export const SPANNED_STEPS = ['volumes', 'snapshots'] as const;
export type SpannedStep = (typeof SPANNED_STEPS)[number];
export type StepDigests = { readonly [Step in SpannedStep]: SpanDigests };

/** Of a step's ids; null: from the first, to the last. Ids as long as the bounds there are none. */
export interface IdRange {
  readonly after: string | null;
  readonly before: string | null;
  /** Nothing in it differs. */
  readonly isUnchanged: boolean;
}

export const ALL_IDS: IdRange = { after: null, before: null, isUnchanged: false };

/** A rule of mapping that changes makes other rows of the same: so does another number here. */
const RULES = 1;

/** Undefined where spans say nothing: ids that are no UUIDs, or rows that come in for the sake of others. */
export async function stepDigests(cinder: CinderDatabase, world: MapWorld): Promise<StepDigests | undefined> {
  if (world.revived.length > 0) return undefined;
  const around = decided(cinder, world);
  const volumes = [
    await cinder.digests('volumes', 'id'),
    await cinder.digests('volume_metadata', 'volume_id'),
    await cinder.digests('volume_admin_metadata', 'volume_id'),
    await cinder.digests('volume_glance_metadata', 'volume_id'),
    await cinder.digests('volume_attachment', 'volume_id'),
    await cinder.digests('transfers', 'volume_id'),
  ];
  const snapshots = [
    await cinder.digests('snapshots', 'id', { table: 'volumes', by: 'volume_id' }),
    await cinder.digests('snapshot_metadata', 'snapshot_id'),
    await cinder.digests('volume_glance_metadata', 'snapshot_id'),
  ];
  const isSpanned = [volumes[0], snapshots[0]].every((own) =>
    [...(own?.keys() ?? [])].every((name) => SPAN.test(name)),
  );
  return isSpanned ? { volumes: joined(volumes, around), snapshots: joined(snapshots, around) } : undefined;
}

/** Alternating, in their order. `filled`: the spans of which there are rows here; one that is not there any more has gone. */
export function idRanges(there: SpanDigests, here: SpanDigests, filled: ReadonlySet<string>): readonly IdRange[] {
  const ranges: IdRange[] = [];
  for (let number = 0; number < SPANS; number++) {
    const name = spanName(number);
    const is = there.get(name);
    const isUnchanged = is === undefined ? !filled.has(name) : is === here.get(name);
    const last = ranges.at(-1);
    const before = number + 1 === SPANS ? null : spanName(number + 1);
    if (last?.isUnchanged === isUnchanged) ranges[ranges.length - 1] = { ...last, before };
    else ranges.push({ after: last === undefined ? null : name, before, isUnchanged });
  }
  return ranges;
}

/** Without the spans of the ids behind `after` (null: from the first) up to `upTo`. */
export function withoutSpans(spans: SpanDigests, after: string | null, upTo: string): SpanDigests {
  const [first, last] = [spanOf(after ?? ''), spanOf(upTo)];
  return new Map([...spans].filter(([name]) => name < first || name > last));
}

/** Those that are the same on both sides. */
export const alike = (there: SpanDigests, here: SpanDigests): SpanDigests =>
  new Map([...here].filter(([name, digest]) => there.get(name) === digest));

const SPANS = 16 ** PREFIX_LENGTH;
const SPAN = new RegExp(`^[0-9a-f]{${PREFIX_LENGTH}}$`);
const spanName = (number: number): string => number.toString(16).padStart(PREFIX_LENGTH, '0');
const spanOf = (id: string): string => id.slice(0, PREFIX_LENGTH);

function joined(tables: readonly ReadonlyMap<string, string>[], around: string): SpanDigests {
  const names = new Set(tables.flatMap((digests) => [...digests.keys()]).filter((name) => SPAN.test(name)));
  return new Map(
    [...names].map((name) => [name, hash([around, ...tables.map((digests) => digests.get(name) ?? '')].join('|'))]),
  );
}

/** What the same rows might be mapped otherwise for. Where the clock decides it is told, and what is told of is read each time. */
const decided = (
  { revision }: CinderDatabase,
  { settings, types, groupTypes, adopted, failedOver }: MapWorld,
): string =>
  hash(
    JSON.stringify([[RULES, revision.id, adopted], [...settings.hosts], [...types], [...groupTypes], [...failedOver]]),
  );

const hash = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 22);
