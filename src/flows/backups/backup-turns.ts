/**
 * The turns of backups on a host: so many are made or checked at once, and as many restored.
 *
 * Each is a process that compresses, with a store that may let it wait for an hour, so they have turns of their own: they do not count among
 * the copies of the host (`drivers/host-copies.ts`), and creates of volumes never wait for them. A restore does not wait for a backup
 * either, which may take hours, and a check waits until no backup does. Within each, projects take turns.
 */
import type { DriverCall } from '../../drivers/driver.ts';
import { Semaphore } from '../../drivers/semaphore.ts';

const RANKS = { restore: 0, backup: 0, verification: 1 } as const;

export class BackupTurns {
  readonly restores: Semaphore;
  /** Backups and checks. */
  readonly others: Semaphore;

  constructor(atOnce: number) {
    this.restores = new Semaphore(atOnce);
    this.others = new Semaphore(atOnce, 2);
  }

  /** Does the work when its turn has come. */
  run<Result>(kind: keyof typeof RANKS, call: DriverCall, work: () => Promise<Result>): Promise<Result> {
    const semaphore = kind === 'restore' ? this.restores : this.others;
    return semaphore.run(call, work, RANKS[kind]);
  }
}
