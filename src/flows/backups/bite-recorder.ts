/**
 * Writes down what a copy tells while it goes on: several bites in one commit, in their order, and half a second between two commits. A copy that
 * does not wait for its records loses nothing by that: what was told and not recorded is done again. A commit for each would be dozens a second. On SQLite
 * none waits for a sync of the disk: it would come behind all that copies write, and everybody waits for it. What a power cut takes of them is done again, too.
 *
 * When a later attempt has begun, nothing is recorded any more and `signal` is aborted: the copy has nothing left to do here.
 */
import { type RecordedBite, recordBites } from '../../db/backup-work.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { CLOCK, type Clock } from '../../lib/clock.ts';
import { BackupFailed } from '../../model/errors.ts';
import type { BackupTools } from '../tools.ts';

/** From one commit to the next. */
const BETWEEN_MS = 500;

export interface BiteRecorderOptions {
  readonly db: BackupTools['db'];
  readonly clock?: Clock;
  readonly backupId: string;
  readonly attempt: number;
  /** Bites of earlier attempts. */
  readonly recorded: number;
  /** Whether there is something to tell with some: so many were recorded before them, and so many are after. */
  tells(before: number, after: number): boolean;
  /** In the transaction that records them. */
  tell(tx: Tx): Promise<void>;
}

export class BiteRecorder {
  readonly #options: BiteRecorderOptions;
  readonly #stop = new AbortController();
  #waiting: RecordedBite[] = [];
  #recorded: number;
  #writing: Promise<void> | undefined;
  /** When the next may be made. */
  #due = 0;
  /** Nothing more is told. */
  readonly #end = new AbortController();
  #failure: unknown;

  constructor(options: BiteRecorderOptions) {
    this.#options = options;
    this.#recorded = options.recorded;
  }

  /** Aborted when what is told is not recorded any more. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  take({ pack, first, chunks, bytes, sha256 }: RecordedBite): void {
    this.#waiting.push({ pack, first, chunks, bytes, sha256 });
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when all that was told is recorded; rejects when it could not be. */
  async done(): Promise<void> {
    this.#end.abort();
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0 && this.#failure === undefined) {
        await this.#comesDue();
        await this.#write(this.#waiting.splice(0));
      }
    } catch (error) {
      this.#failure = error;
      this.#stop.abort(error);
    } finally {
      this.#writing = undefined;
    }
  }

  async #comesDue(): Promise<void> {
    const { clock = CLOCK } = this.#options;
    const ms = this.#due - clock.elapsed();
    if (ms > 0) await clock.pause(ms, this.#end.signal).catch(() => {});
    this.#due = clock.elapsed() + BETWEEN_MS;
  }

  async #write(bites: readonly RecordedBite[]): Promise<void> {
    const { db, backupId, attempt, tells, tell } = this.#options;
    const recorded = this.#recorded;
    const isTold = tells(recorded, recorded + bites.length);
    const unit = async (tx: Tx): Promise<boolean> => {
      if (!(await recordBites(tx, backupId, attempt, recorded, bites))) return false;
      if (isTold) await tell(tx);
      return true;
    };
    // Of an event that was told and lost, its place would be another's.
    const isCurrent = await (isTold ? db.write(unit) : db.writeUnsynced(unit));
    if (!isCurrent) throw new BackupFailed(`Another attempt goes on with backup ${backupId}.`);
    this.#recorded += bites.length;
  }
}
