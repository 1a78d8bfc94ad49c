/**
 * One backend of this process: owned, brought up, reported on, and its host's flows taken up.
 *
 * The owner of a host runs its flows, so the name is taken before anything is touched; another process that has it is waited
 * for, and so is one that has lost the name and still holds the backend (`VolumeDriver.hold`). A backend that many serve is nobody's own:
 * each process takes up its host's flows, those of a process that is gone when that was fenced, and one that cannot use the backend leaves
 * them to those that can. The host's lane is taken up
 * even when the backend does not come up: then its tasks fail with `DriverNotInitialized`, which sends a create elsewhere
 * and makes a delete wait. A backend that fails is tried again; one that comes back is used from then on, and one that does
 * not come up is asked with growing pauses.
 */

import type { Database } from '../db/database.ts';
import { VOLUME_BINARY } from '../db/pools.ts';
import { findService, isUsable, recordHeartbeat } from '../db/services.ts';
import { leavingName, processName } from '../db/sql/ownership.ts';
import { idsInWork } from '../db/unended-flows.ts';
import type { VolumeDriver } from '../drivers/driver.ts';
import { fromNow, type Timestamp } from '../lib/clock.ts';
import type { ServicesConfig } from '../lib/config/config.ts';
import type { Log } from '../lib/logging.ts';
import type { Pace, Troubles } from '../lib/troubles.ts';
import { laneOfHost, type PoolStats } from '../model/backend.ts';
import { DriverNotInitialized } from '../model/errors.ts';
import type { UpkeepName } from '../model/upkeep.ts';

export interface ServedBackend {
  /** `node@backend` */
  readonly host: string;
  readonly availabilityZone: string;
  readonly driver: VolumeDriver;
}

export interface ServeBackendOptions {
  readonly db: Database;
  readonly services: ServicesConfig;
  readonly log: Log;
  readonly troubles: Troubles;
  /** It is only looked at: it is neither held against others nor swept, and no flow of its host is taken up. */
  readonly readOnly?: boolean;
  /** The host is ours, or ours too: take up its flows. */
  owned(host: string): void;
  /** Others take them up: nothing of them is done here any more. */
  left(host: string): void;
  /** The process' own name. */
  readonly process: string;
}

/** Seconds until a name that another process holds is asked for again. */
const RETRY_SECONDS = 1;
const BACKEND: UpkeepName = 'backend';
const TEMPORARIES: UpkeepName = 'temporaries';
/** Bringing a backend up writes nothing, and its users wait for it. */
const LONGEST_MS = 60_000;

export class BackendService {
  readonly #backend: ServedBackend;
  readonly #options: ServeBackendOptions;
  readonly #log: Log;
  #pools: readonly PoolStats[] = [];
  #up = false;
  #heldByAnother = false;
  #failure: string | null = 'It has not come up yet.';
  #statsAt = Number.NEGATIVE_INFINITY;

  constructor(backend: ServedBackend, options: ServeBackendOptions) {
    this.#backend = backend;
    this.#options = options;
    this.#log = options.log.child({ host: backend.host });
  }

  get host(): string {
    return this.#backend.host;
  }

  get servedBy(): VolumeDriver['servedBy'] {
    return this.#backend.driver.servedBy;
  }

  /** Undefined while it is not up. */
  get driver(): VolumeDriver | undefined {
    return this.#up ? this.#backend.driver : undefined;
  }

  /** Why it is not. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Others serve it, as far as is known, and have what was begun here: nothing of it has failed. */
  get isLeft(): boolean {
    const { services, troubles } = this.#options;
    const lately = troubles.clock.elapsed() - this.#statsAt < services.service_down_time * 1000;
    return this.servedBy === 'many' && !this.#up && lately;
  }

  /** Resolves when the host is owned and reported on for the first time; `round` then keeps it so. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.troubles;
    if (this.servedBy === 'one' && !this.#options.readOnly)
      while (!(await this.#options.db.ownership.take(laneOfHost(this.#backend.host))))
        await clock.pause(RETRY_SECONDS * 1000, signal);
    await this.#look(signal);
    while (this.#heldByAnother) {
      await clock.pause(RETRY_SECONDS * 1000, signal);
      await this.#look(signal);
    }
    const { readOnly = false } = this.#options;
    if (this.#up && !readOnly) await this.#sweep(signal);
    await this.#report();
    if (!readOnly) await this.#takeOrLeave();
  }

  /** Looks at the backend when it is time, and reports it. */
  async round(signal: AbortSignal): Promise<void> {
    const { services, troubles } = this.#options;
    const isOld = troubles.clock.elapsed() - this.#statsAt >= services.backend_stats_polling_interval * 1000;
    const due = this.#up ? isOld : troubles.isDue(BACKEND, this.#backend.host);
    if (due) await this.#look(signal);
    await this.#report();
    if (this.servedBy === 'many' && !this.#options.readOnly) await this.#takeOrLeave();
  }

  /** Of a backend that many serve: when it answers nobody here, those to whom it does go on at once. */
  async leaveIfSilent(): Promise<void> {
    const { driver, host } = this.#backend;
    if (this.servedBy === 'one' || !this.#up || !driver.isSilent || this.#options.readOnly) return;
    this.#down(new DriverNotInitialized(`${host} does not answer.`));
    await this.#takeOrLeave();
  }

  /** Of a backend that many serve. Returns the names of the processes that were gone. */
  async fenceTheDead(signal: AbortSignal): Promise<readonly string[]> {
    const { driver } = this;
    const { db, process } = this.#options;
    if (driver === undefined) return [];
    const others = (await driver.processes(signal)).filter((name) => name !== process);
    const alive = others.length === 0 ? new Set() : await db.ownership.held(others.map(processName));
    const dead = others.filter((name) => !alive.has(processName(name)));
    for (const name of dead) await driver.fence(name, signal);
    return dead;
  }

  /** Before flows of a process that is gone are taken up here. */
  async fence(process: string, signal: AbortSignal): Promise<void> {
    if (this.servedBy === 'one') return;
    if (this.driver === undefined) throw new DriverNotInitialized(`${this.host} cannot be used: ${this.#failure}`);
    await this.driver.fence(process, signal);
  }

  /** Nothing works on the backend any more. */
  stop(): void {
    this.#backend.driver.release();
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { driver, host } = this.#backend;
    const { troubles } = this.#options;
    try {
      if (!this.#up) await this.#bringUp(signal);
      this.#pools = await driver.stats(signal);
      this.#statsAt = troubles.clock.elapsed();
      if (!this.#up) this.#log.info({ pools: this.#pools.length }, 'backend is up');
      this.#up = true;
      this.#failure = null;
      troubles.worked(BACKEND, host);
    } catch (error) {
      if (!signal.aborted) this.#down(error);
    }
  }

  #down(error: unknown): void {
    this.#options.troubles.failed(BACKEND, this.#backend.host, error, this.#pace, { level: 'error' });
    this.#up = false;
    this.#failure = messageOf(error);
  }

  get #pace(): Pace {
    const firstMs = this.#options.services.report_interval * 1000;
    return { firstMs, longestMs: Math.max(firstMs, LONGEST_MS) };
  }

  async #bringUp(signal: AbortSignal): Promise<void> {
    const { driver, host } = this.#backend;
    this.#heldByAnother = false;
    await driver.start(signal);
    if (this.#options.readOnly) return;
    this.#heldByAnother = !(await driver.hold(signal));
    if (this.#heldByAnother)
      throw new DriverNotInitialized(`The process that served ${host} before is frozen, or not dead yet.`);
  }

  /** Temporaries that no unfinished flow will look for again. One that cannot be removed keeps nobody from being served. */
  async #sweep(signal: AbortSignal): Promise<void> {
    const { host, driver } = this.#backend;
    const { db, troubles } = this.#options;
    try {
      const swept = await driver.sweep(await idsInWork(db.read), signal);
      if (swept.length > 0) this.#log.warn({ swept }, 'temporary files of no flow were removed');
    } catch (error) {
      if (signal.aborted) throw error;
      troubles.failed(TEMPORARIES, host, error, this.#pace);
    }
  }

  async #report(): Promise<void> {
    const { host, availabilityZone } = this.#backend;
    const beat = { host, binary: VOLUME_BINARY, availabilityZone, pools: this.#pools, failure: this.#failure };
    // Who cannot use what others can has nothing to say of it.
    const since = this.servedBy === 'many' && this.#failure !== null ? this.#lately : undefined;
    await this.#options.db.write((tx) => recordHeartbeat(tx, beat, since));
  }

  /** The host's flows are ours, too, unless we cannot use its backend and others can. */
  async #takeOrLeave(): Promise<void> {
    const { host } = this.#backend;
    const { db, process } = this.#options;
    const others = this.servedBy === 'many' && !this.#up && (await this.#othersServe());
    const leaving = leavingName(process, laneOfHost(host));
    if (others) {
      this.#options.left(host);
      this.#backend.driver.leave?.();
      await db.ownership.take(leaving);
    } else {
      if (this.servedBy === 'many') await db.ownership.release(leaving);
      this.#options.owned(host);
    }
  }

  async #othersServe(): Promise<boolean> {
    const service = await findService(this.#options.db.read, this.#backend.host, VOLUME_BINARY);
    return service !== undefined && isUsable(service, this.#lately);
  }

  get #lately(): Timestamp {
    return fromNow(-this.#options.services.service_down_time * 1000);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
