/**
 * Fills a database of ours from a Cinder's, all living rows each time, a batch a transaction. Each batch writes what differs and says how
 * far it is, so a death between two costs at most one; the next run goes on behind it. What has gone there is noted on the way and removed when all
 * else is here, children first; then usage is counted. Nothing on a backend is asked or touched.
 *
 * A run that goes on after a death sees another moment of a Cinder that was not at rest: what is behind the cursor may have changed meanwhile.
 * The next run finds that, since each begins at the beginning when there is no cursor. What hangs on a row that is not here waits for it.
 */
import type { Database } from '../../db/database.ts';
import { beginFill, endFill, findImport, type ImportProgress, keepCursor } from '../../db/import-progress.ts';
import { findSpans, keepSpans, type SpanDigests } from '../../db/import-spans.ts';
import {
  areEmpty,
  countFilled,
  countSpan,
  forgetGone,
  type IdSpan,
  idPrefixes,
  noteGone,
  removeGone,
} from '../../db/imported-rows.ts';
import { recountPoolUsage } from '../../db/pool-usage.ts';
import { type RecountOptions, recountAllUsage } from '../../db/quota-recount.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { indexesWait, letIndexesWait, makeWaitingIndex } from '../../db/sql/waiting-indexes.ts';
import { type CinderDatabase, PREFIX_LENGTH } from '../cinder/cinder-database.ts';
import { mapStep } from '../map/map-cinder.ts';
import type { MapWorld } from '../map/map-world.ts';
import { type BackendNames, MAP_STEPS, type MappedBatch, type MapStep } from '../map/mapped-batch.ts';
import type { ImportedTable, ImportFinding, ImportRefusal } from '../map/verdict.ts';
import { ahead, collect } from './batches-ahead.ts';
import {
  ALL_IDS,
  alike,
  type IdRange,
  idRanges,
  SPANNED_STEPS,
  type SpannedStep,
  type StepDigests,
  stepDigests,
  withoutSpans,
} from './unchanged-spans.ts';
import { SPANS, type WrittenBatch, writeBatch, writeTypes } from './write-batch.ts';

export interface FillOptions {
  /** Of the Cinder database, without user and password: what the import is known by. */
  readonly source: string;
  /** Rows of a batch. Default 500. */
  readonly batch?: number;
  readonly recount: RecountOptions;
  /** Goes on behind what is here. Without it a run begins at the beginning. */
  readonly resume: boolean;
  /** What the operator decided, kept for who goes on. */
  readonly decisions?: string;
  /** What the backends have, where that decides; each row is read then, as no hash of the database knows of it. */
  readonly onBackend?: BackendNames | undefined;
  /** What is found of rows, in their order. */
  told(about: ImportFinding | ImportRefusal): void;
  /** After each batch. */
  filled?(step: MapStep, rows: number): void;
  readonly signal: AbortSignal;
}

export interface FillSummary {
  /** Rows that are here, by table. */
  readonly rows: Readonly<Record<string, number>>;
  /** Rows that were new, or other than before. */
  readonly written: number;
  readonly removed: number;
  readonly refused: number;
  /** It went on behind what another run had brought. */
  readonly resumed: boolean;
}

/** It cannot be filled; the message says why and what to do. */
export class FillRefused extends Error {
  override readonly name = 'FillRefused';
}

export async function fillDatabase(
  cinder: CinderDatabase,
  world: MapWorld,
  db: Database,
  options: FillOptions,
): Promise<FillSummary> {
  const before = await findImport(db.read);
  const { decisions = null, onBackend } = options;
  // What is behind the cursor came to what was decided then.
  const resumed = options.resume && before?.cursor != null && before.decisions === decisions;
  const isFirst = resumed ? await db.write(indexesWait) : await db.write((tx) => areEmpty(tx, LARGE));
  const there = resumed || isFirst || onBackend !== undefined ? undefined : await stepDigests(cinder, world);
  const here = there && {
    volumes: alike(there.volumes, await findSpans({ db: db.read }, 'volumes')),
    snapshots: alike(there.snapshots, await findSpans({ db: db.read }, 'snapshots')),
  };
  await db.write(async (tx) => {
    for (const step of SPANNED_STEPS) await keepSpans(tx, step, here?.[step] ?? new Map());
    if (resumed) return;
    const began = { source: options.source, revision: cinder.revision.id, decisions, beganAt: world.settings.now };
    await beginFill(tx, began, MAP_STEPS[0]);
    await forgetGone(tx);
    if (isFirst) await letIndexesWait(tx, LARGE);
    else while (await makeWaitingIndex(tx));
  });
  const run = new Fill(cinder, world, db, options, { isFirst, from: resumed ? before : undefined, there, here });
  return { ...(await run.toItsEnd()), resumed };
}

const BATCH = 500;
/** Tables that may have a million rows. */
const LARGE = [
  'volume',
  'volume_attachment',
  'snapshot',
  'backup',
  'message',
] as const satisfies readonly ImportedTable[];

interface Beginning {
  /** Nothing was here before the fill that this one begins or goes on with, so nothing can have gone. */
  readonly isFirst: boolean;
  readonly from: ImportProgress | undefined;
  readonly there: StepDigests | undefined;
  readonly here: StepDigests | undefined;
}

/** What a span of a step is a span of. */
const TABLE_OF = { volumes: 'volume', snapshots: 'snapshot' } as const satisfies Record<SpannedStep, ImportedTable>;

const isSpanned = (step: MapStep): step is SpannedStep => (SPANNED_STEPS as readonly string[]).includes(step);

const without = (spans: SpanDigests, { after, upTo }: IdSpan): SpanDigests => withoutSpans(spans, after, upTo ?? '');

class Fill {
  readonly #cinder: CinderDatabase;
  readonly #world: MapWorld;
  readonly #db: Database;
  readonly #options: FillOptions;
  readonly #from: ImportProgress['cursor'];
  #counts: Readonly<Record<string, number>>;
  #written = 0;
  #removed = 0;
  #refused = 0;
  readonly #isFirst: boolean;
  /** What the spans are like there; undefined where nobody knows yet. */
  readonly #there: StepDigests | undefined;
  /** Those of them that are here as they are. */
  readonly #here: StepDigests | undefined;
  /** Something is to be told of these again, by each run. */
  readonly #told: { readonly [Step in SpannedStep]: IdSpan[] } = { volumes: [], snapshots: [] };

  constructor(
    cinder: CinderDatabase,
    world: MapWorld,
    db: Database,
    options: FillOptions,
    { isFirst, from, there, here }: Beginning,
  ) {
    this.#cinder = cinder;
    this.#world = world;
    this.#db = db;
    this.#options = options;
    this.#from = from?.cursor ?? null;
    this.#counts = from?.counts ?? {};
    this.#isFirst = isFirst;
    this.#there = there;
    this.#here = here;
  }

  async toItsEnd(): Promise<Omit<FillSummary, 'resumed'>> {
    const first = MAP_STEPS.indexOf((this.#from?.step ?? MAP_STEPS[0]) as MapStep);
    for (const step of MAP_STEPS.slice(Math.max(first, 0))) await this.#step(step);
    // The server hashes while indexes are made here. Of one that went on nobody knows what the rows before it were like.
    const isKnown = this.#isFirst && this.#from === null && this.#options.onBackend === undefined;
    const hashed = isKnown ? stepDigests(this.#cinder, this.#world) : this.#there;
    const [there] = await Promise.all([hashed, this.#makeIndexes()]);
    await this.#db.write(async (tx) => {
      let removed = 0;
      for (const table of CHILDREN_FIRST) removed += await removeGone(tx, table);
      this.#removed += removed;
    });
    await this.#db.write(async (tx) => {
      await recountAllUsage(tx, this.#options.recount);
      await recountPoolUsage(tx);
      for (const step of SPANNED_STEPS)
        if (there !== undefined) await keepSpans(tx, step, this.#told[step].reduce(without, there[step]));
      await endFill(tx, this.#counts);
    });
    return { rows: this.#counts, written: this.#written, removed: this.#removed, refused: this.#refused };
  }

  async #makeIndexes(): Promise<void> {
    while (await this.#db.write(makeWaitingIndex));
  }

  async #step(step: MapStep): Promise<void> {
    if (step !== 'volumes' && step !== 'snapshots') return this.#ids(step, ALL_IDS, true);
    const ranges = (await this.#ranges(step)) ?? [ALL_IDS];
    for (const range of ranges)
      if (range.isUnchanged) await this.#db.write((tx) => this.#pass(tx, step, range));
      else await this.#ids(step, range, range.before === null);
    if (ranges.at(-1)?.isUnchanged) await this.#db.write((tx) => this.#endStep(tx, step));
  }

  /** Undefined where nobody knows what the spans were like. */
  async #ranges(step: SpannedStep): Promise<readonly IdRange[] | undefined> {
    if (this.#there === undefined || this.#here === undefined) return undefined;
    const filled = await this.#db.write((tx) => idPrefixes(tx, TABLE_OF[step], PREFIX_LENGTH));
    return idRanges(this.#there[step], this.#here[step], filled);
  }

  /** What is here of a range that is as it was. */
  async #pass(tx: Tx, step: MapStep, { after, before }: IdRange): Promise<void> {
    const counts = { ...this.#counts };
    for (const { table, by } of SPANS[step] ?? []) {
      const rows = await countSpan(tx, table, { after, upTo: before }, by);
      if (rows > 0) counts[table] = (counts[table] ?? 0) + rows;
    }
    if (before !== null) await keepCursor(tx, { step, after: before }, counts);
    tx.onCommit(() => {
      this.#counts = counts;
    });
  }

  async #ids(step: MapStep, range: IdRange, isLast: boolean): Promise<void> {
    let after = this.#from?.step === step ? this.#from.after : range.after;
    const options = {
      limit: this.#options.batch ?? BATCH,
      ...(this.#options.onBackend !== undefined && { onBackend: this.#options.onBackend }),
      ...(after !== null && { after }),
      ...(range.before !== null && { before: range.before }),
    };
    for await (const batch of ahead(mapStep(this.#cinder, this.#world, step, options))) {
      this.#options.signal.throwIfAborted();
      const outcome = await this.#db.write((tx) => this.#write(tx, batch, after));
      this.#counts = outcome.counts;
      this.#written += outcome.written;
      this.#removed += outcome.removed;
      this.#refused += batch.refusals.length;
      const tells = [...batch.findings, ...batch.refusals, ...outcome.waiting];
      for (const about of tells) this.#options.told(about);
      if (tells.length > 0 && batch.after !== null && isSpanned(step))
        this.#told[step].push({ after, upTo: batch.after });
      this.#options.filled?.(step, outcome.rows);
      after = batch.after;
      collect();
    }
    await this.#db.write(async (tx) => {
      if (!this.#isFirst)
        for (const { table, by } of SPANS[step] ?? []) await noteGone(tx, table, { after, upTo: range.before }, [], by);
      if (isLast) await this.#endStep(tx, step);
      else if (range.before !== null) await keepCursor(tx, { step, after: range.before }, this.#counts);
    });
  }

  /** The next begins. */
  async #endStep(tx: Tx, step: MapStep): Promise<void> {
    for (const { table } of SPANS[step] ?? []) {
      const [here, brought] = [await countFilled(tx, table), this.#counts[table] ?? 0];
      if (here !== brought)
        throw new FillRefused(
          `Of ${table} ${brought} rows were brought over, and ${here} are here: somebody else has changed this database, or ids in the Cinder database are no UUIDs. Import into an empty one.`,
        );
    }
    const next = MAP_STEPS[MAP_STEPS.indexOf(step) + 1];
    if (next !== undefined) await keepCursor(tx, { step: next, after: null }, this.#counts);
  }

  async #write(tx: Tx, batch: MappedBatch, after: string | null): Promise<Outcome> {
    const { step } = batch;
    const outcome = step === 'types' ? await writeTypes(tx, batch) : await writeBatch(tx, batch, after, this.#isFirst);
    const counts = { ...this.#counts };
    for (const [table, rows] of Object.entries(outcome.here)) counts[table] = (counts[table] ?? 0) + rows;
    const rows = Object.values(outcome.here).reduce((sum, each) => sum + each, 0);
    if (batch.after !== null) await keepCursor(tx, { step, after: batch.after }, counts);
    return { ...outcome, counts, rows };
  }
}

interface Outcome extends WrittenBatch {
  readonly counts: Readonly<Record<string, number>>;
  readonly rows: number;
}

const CHILDREN_FIRST = [
  'snapshot',
  'volume_attachment',
  'transfer',
  'volume',
  'group_snapshot',
  'volume_group',
  'backup',
  'message',
  'volume_type',
  'group_type',
  'qos_specs',
] as const satisfies readonly ImportedTable[];
