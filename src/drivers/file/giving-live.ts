/**
 * Gives volumes that are attached, and written to meanwhile, to another backend.
 *
 * Moments of the volume are reflinks, and nobody waits for them. Only the last step is taken while those who have the file open are held
 * (`Exporter.hold`), and after it they are bound: this process may die now, or the database may not answer, and nobody writes to the
 * old file before it is said which file counts. That is said by the row, so it is left to the flow: the hold is kept here until then.
 */
import type { Exec } from '../../lib/exec.ts';
import { DriverFailed } from '../../model/errors.ts';
import type { DriverCall, LiveSource } from '../driver.ts';
import type { Exporter, HeldClients } from '../exports/exporter.ts';
import type { FileStore } from './file-store.ts';
import { free } from './freeing.ts';
import { temporary } from './names.ts';
import { createEmpty } from './publish.ts';

/** As long as a group snapshot may take: a command that waits for 30 s is taken for lost. The switch is within it. */
const HELD_MS = 10_000;

export class GivingLive {
  readonly #store: FileStore;
  readonly #exports: Exporter;
  readonly #exec: Exec;
  /** By full name: those who wait to hear which file counts. */
  readonly #bound = new Map<string, HeldClients>();

  constructor({ store, exports, exec }: { store: FileStore; exports: Exporter; exec: Exec }) {
    this.#store = store;
    this.#exports = exports;
    this.#exec = exec;
  }

  async give<Result>(
    { full, sizeGiB }: { readonly full: string; readonly sizeGiB: number },
    receive: (source: LiveSource) => Promise<Result>,
    { signal }: DriverCall,
  ): Promise<Result> {
    const bytes = await this.#store.demand(full, sizeGiB);
    const path = this.#store.path(full);
    const file = { path, limitMs: HELD_MS };
    // Of a call whose answer was lost: nobody has said that another file counts.
    await this.goOn(full, null, signal);
    // Who cannot be made to wait is not to be told so after hours of copying.
    await (await this.#exports.hold(file, signal)).goOn(path);
    let held: HeldClients | undefined;
    const moments: string[] = [];
    const source: LiveSource = {
      path,
      bytes,
      moment: async () => {
        for (const old of moments.splice(0, moments.length - 1)) await free(this.#exec, old, signal);
        const moment = await this.#moment(full, signal);
        if (moment !== null) moments.push(moment);
        return moment;
      },
      hold: async () => {
        await this.#store.sync([full], signal);
        held = await this.#exports.hold(file, signal);
      },
    };
    try {
      const received = await receive(source);
      if (held === undefined) throw new DriverFailed(`${full} was not held when it was received.`);
      await held.bind();
      this.#bound.set(full, held);
      return received;
    } catch (error) {
      // They go on without it, too, or their daemon is dead, which whoever makes exports will see.
      await held?.goOn(path).catch(() => {});
      await this.#dropMoments(full, signal).catch(() => {});
      throw error;
    }
  }

  /** Does not reject for those who did not get so far. With the old file, nothing of an attempt to give it is left. */
  async goOn(full: string, path: string | null, signal: AbortSignal): Promise<void> {
    const held = this.#bound.get(full);
    this.#bound.delete(full);
    await held?.goOn(path ?? this.#store.path(full)).catch(() => {});
    if (path === null) await this.#dropMoments(full, signal);
  }

  /** They go with the volume, too. */
  async #dropMoments(full: string, signal: AbortSignal): Promise<void> {
    await this.#store.temporaries.drop(full, (path) => free(this.#exec, path, signal));
  }

  async #moment(full: string, signal: AbortSignal): Promise<string | null> {
    const name = temporary(full);
    this.#store.temporaries.expect(full, name);
    const path = this.#store.path(name);
    await createEmpty(path);
    return (await this.#store.share(this.#store.path(full), path, signal)) ? path : null;
  }
}
