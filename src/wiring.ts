/**
 * The one place where things are made and handed to each other.
 *
 * `wire` makes a whole service from a configuration: the database, the backends, the engine with the flows, the door. Nothing
 * listens yet and no flow runs; `Service.start` does that, in an order that lets no request in before what it needs is there.
 */
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { Policy } from './api/policy/policy.ts';
import { buildApi } from './api/server.ts';
import { strategyOf } from './api/strategies.ts';
import { imagesOf } from './clients/image-store.ts';
import { keystoneOf } from './clients/keystone.ts';
import type { Desk } from './commands/desk.ts';
import { keepExports } from './commands/keep-exports.ts';
import { BackendService, hostName } from './commands/serve-backend.ts';
import { getAttachment } from './db/attachments.ts';
import { type Database, openDatabase } from './db/database.ts';
import { DatabaseJournal, FLOWS_CHANNEL, processName } from './db/journal.ts';
import { pruneMessages } from './db/messages.ts';
import { markDelivered, newestEvent, pruneEvents, undelivered } from './db/outbox.ts';
import { recordHeartbeat } from './db/services.ts';
import { pruneTokens } from './db/tokens.ts';
import type { Tx } from './db/writer.ts';
import type { VolumeDriver } from './drivers/driver.ts';
import type { Exporter } from './drivers/exporter.ts';
import { FileDriver } from './drivers/file.ts';
import { IscsiExports } from './drivers/iscsi-exports.ts';
import { LocalExports } from './drivers/local-exports.ts';
import { Tgtd } from './drivers/tgtd.ts';
import { Engine } from './engine/engine.ts';
import type { EngineListener } from './engine/events.ts';
import { Dispatcher, type Sink } from './events/dispatcher.ts';
import { logEvent } from './events/log-of-flows.ts';
import { AmqpSink } from './events/sink-amqp.ts';
import { FileSink } from './events/sink-file.ts';
import { FLOWS } from './flows/registry.ts';
import { sweepDownloads } from './flows/sweep-downloads.ts';
import type { Tools } from './flows/tools.ts';
import { pause } from './lib/clock.ts';
import type { BackendConfig, Config, FileBackendConfig } from './lib/config.ts';
import { exec } from './lib/exec.ts';
import type { Log } from './lib/logging.ts';
import { hostOf } from './model/backend.ts';
import { DriverNotInitialized } from './model/errors.ts';
import { checkOptions, type SchedulerOptions } from './scheduler/options.ts';

export const SCHEDULER_BINARY = 'cinder-scheduler';
const EVENTS_LEADER = 'pumice-events';
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** Expired messages, or tokens, forgotten in one transaction. */
const PRUNED_AT_ONCE = 1_000;

export interface ServiceOptions {
  /** Also told what the engine does: a progress bar, a test. */
  readonly listen?: EngineListener;
  /** The process' own name in the engine; a new one each time. */
  readonly process?: string;
  /** What this process owned may be another's now (PostgreSQL only): it must end, and be started again. */
  lost?(): void;
}

/** Opens the database, which brings its schema forward and lets no second server in, and makes the rest. */
export async function wire(config: Config, log: Log, options: ServiceOptions = {}): Promise<Service> {
  mkdirSync(config.data_directory, { recursive: true });
  mkdirSync(config.images.image_conversion_dir, { recursive: true });
  const scheduler = schedulerOptions(config);
  checkOptions(scheduler);
  const policy = policyOf(config);
  const db = await openDatabase(config.database.url, { as: 'server', readers: config.database.max_pool_size });
  return new Service(config, log, db, { scheduler, policy }, options);
}

export class Service {
  readonly db: Database;
  readonly engine: Engine<Tools, Tx>;
  readonly desk: Desk;
  readonly api: FastifyInstance;
  readonly backends: readonly BackendService[];
  readonly #config: Config;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #dispatcher: Dispatcher;
  readonly #loops: Promise<unknown>[] = [];
  readonly #lost: (() => void) | undefined;

  constructor(
    config: Config,
    log: Log,
    db: Database,
    { scheduler, policy }: { readonly scheduler: SchedulerOptions; readonly policy: Policy },
    { listen, process, lost }: ServiceOptions,
  ) {
    this.#config = config;
    this.#lost = lost;
    this.#log = log;
    this.db = db;
    this.backends = config.enabled_backends.map((name) => {
      const section = config.backends[name] as BackendConfig;
      const backend = {
        host: `${config.node_name}@${name}`,
        availabilityZone: section.backend_availability_zone,
        driver: driverOf(section, config),
      };
      return new BackendService(backend, {
        db,
        services: config.services,
        log,
        owned: (host) => this.engine.own(hostName(host)),
      });
    });
    const keystone = config.api.auth_strategy === 'keystone' ? keystoneOf(config.keystone, log) : undefined;
    const tools: Tools = {
      driver: (host) => this.#driver(host),
      attachment: (id) => getAttachment(db.read, id),
      images: imagesOf(config, keystone),
      conversionDirectory: config.images.image_conversion_dir,
      scheduler,
      maxAttempts: config.scheduler.scheduler_max_attempts,
      quota: config.quota,
      serviceDownSeconds: config.services.service_down_time,
      messageTtlSeconds: config.message_ttl,
    };
    this.#dispatcher = new Dispatcher({
      outbox: {
        newest: (before) => newestEvent(db.read, before),
        undelivered: (sink, seq, limit) => undelivered(db.read, sink, seq, limit),
        markDelivered: (sink, seqs) => db.write((tx) => markDelivered(tx, sink, seqs)),
        prune: (sinks, before, limit) => db.write((tx) => pruneEvents(tx, sinks, before, limit)),
      },
      sinks: sinksOf(config),
      leads: () => db.ownership.take(EVENTS_LEADER),
      log,
      retentionDays: config.notifications.retention_days,
    });
    this.engine = new Engine<Tools, Tx>({
      journal: new DatabaseJournal(db),
      tools,
      flows: FLOWS,
      ...(process === undefined ? {} : { process }),
      listen: (event) => {
        logEvent(log, event);
        if (event.is === 'flow-ended' || event.is === 'task-done') this.#dispatcher.wake();
        listen?.(event);
      },
      concurrency: config.flows.concurrency,
      maxClaims: config.flows.max_claims_without_progress,
      keepEndedDays: config.flows.keep_ended_days,
    });
    this.desk = { db, engine: this.engine, tools, config, log };
    const strategy = strategyOf({ config, policy, keystone, db, log, signal: this.#stop.signal });
    this.api = buildApi({ desk: this.desk, log, policy, ...strategy });
  }

  /** Rejects when flows are in flight that this version does not know; nothing has run then. */
  async start(): Promise<void> {
    const { signal } = this.#stop;
    const { ownership } = this.db;
    await ownership.take(processName(this.engine.process));
    ownership.onLost(() => {
      this.#log.error('the session that holds what this process owns is lost');
      this.#lost?.();
    });
    await ownership.listen(FLOWS_CHANNEL, () => this.engine.wake());
    await this.engine.start();
    await this.#heartbeat();
    await this.#sweepDownloads();
    const first = this.backends.map((backend) => backend.start(signal));
    // A host that another process serves is waited for, but not by those who only want this one to listen.
    await Promise.race([Promise.all(first), pause(this.#config.services.report_interval * 1000, signal)]);
    this.#loops.push(
      ...this.backends.map(async (backend, index) => {
        await first[index];
        await backend.run(signal);
      }),
      ...this.backends.map(async (backend, index) => {
        await first[index];
        const isUp = (): boolean => backend.driver !== undefined;
        await keepExports(this.desk, { host: backend.host, isUp, log: this.#log }, signal);
      }),
      this.#dispatcher.run(signal),
      this.#repeat(this.#config.services.report_interval * 1000, () => this.#heartbeat()),
      this.#repeat(HOUR_MS, () => this.#sweepDownloads()),
      this.#repeat(HOUR_MS, () => this.db.write((tx) => pruneMessages(tx, PRUNED_AT_ONCE))),
      this.#repeat(MINUTE_MS, () => this.db.write((tx) => pruneTokens(tx, PRUNED_AT_ONCE))),
    );
    await this.api.ready();
  }

  /** Resolves with the address it listens on. */
  async listen(): Promise<string> {
    const { host, port } = this.#config.api;
    return this.api.listen({ host, port });
  }

  /** Lets requests end, leaves flows where they stand, and lets go of what is owned. */
  async stop(): Promise<void> {
    await this.api.close();
    await this.engine.stop();
    this.#stop.abort(new Error('The service stops.'));
    await Promise.allSettled(this.#loops);
    for (const backend of this.backends) backend.stop();
    await this.db.close();
  }

  #driver(host: string): VolumeDriver {
    const backend = this.backends.find((each) => each.host === hostOf(host));
    if (backend === undefined) throw new DriverNotInitialized(`${hostOf(host)} is not served here.`);
    if (backend.driver === undefined)
      throw new DriverNotInitialized(`${backend.host} cannot be used: ${backend.failure}`);
    return backend.driver;
  }

  async #sweepDownloads(): Promise<void> {
    const swept = await sweepDownloads(this.db.read, this.#config.images.image_conversion_dir);
    if (swept.length > 0) this.#log.warn({ swept }, 'images of flows that ended elsewhere were removed');
  }

  async #heartbeat(): Promise<void> {
    const { node_name: host, storage_availability_zone: availabilityZone } = this.#config;
    await this.db.write((tx) =>
      recordHeartbeat(tx, { host, binary: SCHEDULER_BINARY, availabilityZone, pools: [], failure: null }),
    );
  }

  async #repeat(everyMs: number, work: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await pause(everyMs, this.#stop.signal);
      } catch {
        return;
      }
      await work().catch((error: unknown) => this.#log.warn({ err: error }, 'upkeep failed and is tried again'));
    }
  }
}

function schedulerOptions({ scheduler }: Config): SchedulerOptions {
  return {
    filters: scheduler.scheduler_default_filters,
    weighers: scheduler.scheduler_default_weighers,
    multipliers: {
      CapacityWeigher: scheduler.capacity_weight_multiplier,
      AllocatedCapacityWeigher: scheduler.allocated_capacity_weight_multiplier,
      VolumeNumberWeigher: scheduler.volume_number_multiplier,
    },
  };
}

/** What takes care of a backend, not started. The command line looks at backends with it. */
export function driverOf(section: BackendConfig, config: Config): VolumeDriver {
  return new FileDriver({
    name: section.volume_backend_name,
    directory: section.path,
    exec,
    create: section.create,
    reservedPercentage: section.reserved_percentage,
    maxOverSubscriptionRatio: section.max_over_subscription_ratio,
    copiesAtOnce: section.max_copies,
    conversion: {
      memoryBytes: config.images.image_conversion_address_space_limit * 1024 ** 3,
      cpuSeconds: config.images.image_conversion_cpu_limit,
      timeoutMs: config.images.image_conversion_timeout_seconds * 1000,
    },
    exports: exportsOf(section, config),
    volumeNameTemplate: config.volume_name_template,
    snapshotNameTemplate: config.snapshot_name_template,
  });
}

/** Throws when a rule is wrong. */
function policyOf({ policy, api }: Config): Policy {
  return new Policy({ overrides: policy, legacy: !api.enforce_new_defaults });
}

function exportsOf(section: FileBackendConfig, { node_name }: Config): Exporter {
  const directory = resolve(section.path);
  if (section.target_protocol === 'local') return new LocalExports({ directory, hosts: [hostname(), node_name] });
  const portal = `${section.target_ip_address}:${section.target_port}`;
  const own = section.target_daemon === 'own' ? join(directory, '.tgtd') : null;
  return new IscsiExports({ daemon: new Tgtd({ exec, own, portal }), prefix: section.target_prefix, portal });
}

function sinksOf({ notifications }: Config): Sink[] {
  return notifications.drivers.map((driver) =>
    driver === 'file'
      ? new FileSink(notifications.file)
      : new AmqpSink({ url: notifications.amqp_url ?? '', topics: notifications.topics }),
  );
}
