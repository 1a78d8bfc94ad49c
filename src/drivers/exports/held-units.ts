/**
 * Units of a tgtd whose clients wait, and go on with the file that they had open or with another.
 *
 * `path=` lets writes through to nowhere while it takes effect, so the file is changed while the workers are held; and a worker that
 * is bound writes no more to the old file, whatever dies (`tgt-hold.pl`). What cannot be done to the end ends with a daemon that is
 * dead, and never with a client that writes where it should not.
 */
import type { HeldClients } from './exporter.ts';
import type { HeldWorkers } from './held-workers.ts';
import { parseTargets, type Target } from './tgt-show.ts';
import { reopenUnit, showTargets } from './tgtadm.ts';
import { TargetDaemonFailed, type Tgtd } from './tgtd.ts';
import { isOnline, unitOf } from './wanted-target.ts';

export class HeldUnits implements HeldClients {
  readonly #daemon: Tgtd;
  readonly #workers: HeldWorkers;
  readonly #targets: readonly Target[];

  /** The targets have one file open, and `workers` are all that write for them. Nobody else speaks to the daemon before `ended`. */
  constructor(daemon: Tgtd, workers: HeldWorkers, targets: readonly Target[]) {
    this.#daemon = daemon;
    this.#workers = workers;
    this.#targets = targets;
  }

  get ended(): Promise<void> {
    return this.#workers.ended;
  }

  async bind(): Promise<void> {
    await this.#workers.bind().catch(notHeld);
  }

  async goOn(path: string): Promise<void> {
    try {
      const moved = this.#targets.filter((target) => unitOf(target)?.path !== path);
      // Each order has a time limit of its own.
      const { signal } = new AbortController();
      for (const { tid } of moved) await this.#daemon.run(reopenUnit(tid, path), signal);
      if (moved.length > 0) this.#check(parseTargets(await this.#daemon.run(showTargets, signal)), path);
      await this.#workers.letGo().catch(notHeld);
    } finally {
      await this.#workers.hangUp();
    }
  }

  #check(targets: readonly Target[], path: string): void {
    for (const { tid, name } of this.#targets) {
      const target = targets.find((each) => each.tid === tid);
      if (target === undefined || unitOf(target)?.path !== path || !isOnline(target))
        throw new TargetDaemonFailed(`Target ${name} did not open ${path}.`);
    }
  }
}

function notHeld(error: unknown): never {
  throw new TargetDaemonFailed('tgtd was not held until now.', { cause: error });
}
