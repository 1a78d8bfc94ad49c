/**
 * One backend of this process: owned, brought up, reported on, and its host's flows taken up.
 *
 * Whoever owns a host runs its flows, so the name is taken before anything is touched; another process that has it is
 * waited for, and so is one that has lost the name and still holds the backend (`VolumeDriver.hold`). The host's lane is
 * taken up even when the backend does not come up: then its tasks fail with `DriverNotInitialized`, which sends a create
 * elsewhere and makes a delete wait. A backend that fails is tried again at every report; one that comes back is used from
 * then on.
 */

import type { Database } from '../db/database.ts';
import { VOLUME_BINARY } from '../db/pools.ts';
import { recordHeartbeat } from '../db/services.ts';
import type { VolumeDriver } from '../drivers/driver.ts';
import { elapsed, pause } from '../lib/clock.ts';
import type { ServicesConfig } from '../lib/config.ts';
import type { Log } from '../lib/logging.ts';
import type { PoolStats } from '../model/backend.ts';
import { DriverNotInitialized } from '../model/errors.ts';

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
  /** The host is ours: take up its flows. */
  owned(host: string): void;
}

/** Seconds until a name that another process holds is asked for again. */
const RETRY_SECONDS = 1;

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

  /** Undefined while it is not up. */
  get driver(): VolumeDriver | undefined {
    return this.#up ? this.#backend.driver : undefined;
  }

  /** Why it is not. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Resolves when the host is owned and reported on for the first time; `run` then keeps it so. */
  async start(signal: AbortSignal): Promise<void> {
    while (!(await this.#options.db.ownership.take(hostName(this.#backend.host))))
      await pause(RETRY_SECONDS * 1000, signal);
    await this.#look(signal);
    while (this.#heldByAnother) {
      await pause(RETRY_SECONDS * 1000, signal);
      await this.#look(signal);
    }
    if (this.#up) await this.#sweep(signal);
    await this.#report();
    this.#options.owned(this.#backend.host);
  }

  /** Reports until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { report_interval, backend_stats_polling_interval } = this.#options.services;
    for (;;) {
      try {
        await pause(report_interval * 1000, signal);
      } catch {
        return;
      }
      const due = !this.#up || elapsed() - this.#statsAt >= backend_stats_polling_interval * 1000;
      if (due) await this.#look(signal);
      await this.#report().catch((error: unknown) => this.#log.warn({ err: error }, 'backend could not be reported'));
    }
  }

  /** Nothing works on the backend any more. */
  stop(): void {
    this.#backend.driver.release();
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { driver } = this.#backend;
    try {
      if (!this.#up) await this.#bringUp(signal);
      this.#pools = await driver.stats(signal);
      this.#statsAt = elapsed();
      if (!this.#up) this.#log.info({ pools: this.#pools.length }, 'backend is up');
      this.#up = true;
      this.#failure = null;
    } catch (error) {
      if (signal.aborted) return;
      if (this.#up || this.#failure !== messageOf(error)) this.#log.error({ err: error }, 'backend cannot be used');
      this.#up = false;
      this.#failure = messageOf(error);
    }
  }

  async #bringUp(signal: AbortSignal): Promise<void> {
    const { driver, host } = this.#backend;
    this.#heldByAnother = false;
    await driver.start(signal);
    this.#heldByAnother = !(await driver.hold(signal));
    if (this.#heldByAnother)
      throw new DriverNotInitialized(`The process that served ${host} before is frozen, or not dead yet.`);
  }

  /** Temporaries that no unfinished flow will look for again. */
  async #sweep(signal: AbortSignal): Promise<void> {
    const flows = await this.#options.db.read
      .selectFrom('flow')
      .select('resource')
      .where('ended_at', 'is', null)
      .execute();
    const busy = new Set(flows.map(({ resource }) => resource.slice(resource.indexOf(':') + 1)));
    const swept = await this.#backend.driver.sweep(busy, signal);
    if (swept.length > 0) this.#log.warn({ swept }, 'temporary files of no flow were removed');
  }

  async #report(): Promise<void> {
    const { host, availabilityZone } = this.#backend;
    await this.#options.db.write((tx) =>
      recordHeartbeat(tx, {
        host,
        binary: VOLUME_BINARY,
        availabilityZone,
        pools: this.#pools,
        failure: this.#failure,
      }),
    );
  }
}

/** The name whoever serves the host holds (`db/ownership.ts`). */
export const hostName = (host: string): string => `host:${host}`;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
