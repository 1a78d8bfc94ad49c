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
import { countFilled, forgetGone, noteGone, removeGone } from '../../db/imported-rows.ts';
import { recountPoolUsage } from '../../db/pool-usage.ts';
import { type RecountOptions, recountAllUsage } from '../../db/quota-recount.ts';
import type { Tx } from '../../db/sql/tx.ts';
import type { CinderDatabase } from '../cinder/cinder-database.ts';
import { mapStep } from '../map/map-cinder.ts';
import type { MapWorld } from '../map/map-world.ts';
import { MAP_STEPS, type MappedBatch, type MapStep } from '../map/mapped-batch.ts';
import type { ImportedTable, ImportFinding, ImportRefusal } from '../map/verdict.ts';
import { SPANS, type WrittenBatch, writeBatch, writeTypes } from './write-batch.ts';

export interface FillOptions {
  /** Of the Cinder database, without user and password: what the import is known by. */
  readonly source: string;
  /** Rows of a batch. Default 500. */
  readonly batch?: number;
  readonly recount: RecountOptions;
  /** Goes on behind what is here. Without it a run begins at the beginning. */
  readonly resume: boolean;
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
  const resumed = options.resume && before !== undefined && before.cursor !== null;
  if (!resumed)
    await db.write(async (tx) => {
      await beginFill(tx, options.source, cinder.revision.id, MAP_STEPS[0]);
      await forgetGone(tx);
    });
  const run = new Fill(cinder, world, db, options, resumed ? before : undefined);
  return { ...(await run.toItsEnd()), resumed };
}

const BATCH = 500;

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

  constructor(
    cinder: CinderDatabase,
    world: MapWorld,
    db: Database,
    options: FillOptions,
    resumed: ImportProgress | undefined,
  ) {
    this.#cinder = cinder;
    this.#world = world;
    this.#db = db;
    this.#options = options;
    this.#from = resumed?.cursor ?? null;
    this.#counts = resumed?.counts ?? {};
  }

  async toItsEnd(): Promise<Omit<FillSummary, 'resumed'>> {
    const first = MAP_STEPS.indexOf((this.#from?.step ?? MAP_STEPS[0]) as MapStep);
    for (const step of MAP_STEPS.slice(Math.max(first, 0))) await this.#step(step);
    await this.#db.write(async (tx) => {
      let removed = 0;
      for (const table of CHILDREN_FIRST) removed += await removeGone(tx, table);
      this.#removed += removed;
    });
    await this.#db.write(async (tx) => {
      await recountAllUsage(tx, this.#options.recount);
      await recountPoolUsage(tx);
      await endFill(tx, this.#counts);
    });
    return { rows: this.#counts, written: this.#written, removed: this.#removed, refused: this.#refused };
  }

  async #step(step: MapStep): Promise<void> {
    let after = this.#from?.step === step ? this.#from.after : null;
    const options = { limit: this.#options.batch ?? BATCH, ...(after !== null && { after }) };
    for await (const batch of ahead(mapStep(this.#cinder, this.#world, step, options))) {
      this.#options.signal.throwIfAborted();
      const outcome = await this.#db.write((tx) => this.#write(tx, batch, after));
      this.#counts = outcome.counts;
      this.#written += outcome.written;
      this.#removed += outcome.removed;
      this.#refused += batch.refusals.length;
      for (const about of [...batch.findings, ...batch.refusals, ...outcome.waiting]) this.#options.told(about);
      this.#options.filled?.(step, outcome.rows);
      after = batch.after;
    }
    await this.#db.write((tx) => this.#endStep(tx, step, after));
  }

  /** The rest of the table is behind the last batch, and the next step begins. */
  async #endStep(tx: Tx, step: MapStep, after: string | null): Promise<void> {
    for (const { table, by } of SPANS[step] ?? []) {
      await noteGone(tx, table, { after, upTo: null }, [], by);
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
    const outcome = step === 'types' ? await writeTypes(tx, batch) : await writeBatch(tx, batch, after);
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

/** The next is read while one is written. */
async function* ahead<T>(all: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = all[Symbol.asyncIterator]();
  let next = iterator.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done) return;
      next = iterator.next();
      // Whoever awaits it hears of it.
      next.catch(() => {});
      yield value;
    }
  } finally {
    await next.catch(() => {});
    await iterator.return?.();
  }
}
