/**
 * The composition root: the one place where things are made and handed to each other.
 *
 * `wire` makes a whole service from a configuration: the database, the backends, the engine with the flows, the door. Nothing
 * listens yet and no flow runs; `Service.start` does that, in an order that lets no request in before what it needs is there.
 */
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { Policy } from './api/policy/policy.ts';
import { RequestsInFlight } from './api/requests-in-flight.ts';
import { buildApi } from './api/server.ts';
import { strategyOf } from './api/strategies.ts';
import { imagesOf } from './clients/image-store.ts';
import { keystoneOf } from './clients/keystone.ts';
import type { Desk } from './commands/desk.ts';
import { getAttachment } from './db/attachments.ts';
import { type Database, openDatabase } from './db/database.ts';
import { DatabaseJournal, FLOWS_CHANNEL } from './db/journal.ts';
import { markDelivered, newestEvent, pruneEvents, undelivered } from './db/outbox.ts';
import { processName } from './db/sql/ownership.ts';
import type { Tx } from './db/sql/writer.ts';
import { dropTrouble, dropTroublesOf, dropTroublesOfTheDead, putTrouble } from './db/troubles.ts';
import type { VolumeDriver } from './drivers/driver.ts';
import type { Exporter } from './drivers/exports/exporter.ts';
import { IscsiExports } from './drivers/exports/iscsi-exports.ts';
import { LocalExports } from './drivers/exports/local-exports.ts';
import { Tgtd } from './drivers/exports/tgtd.ts';
import { FileDriver } from './drivers/file/file-driver.ts';
import { Engine } from './engine/engine.ts';
import type { EngineListener } from './engine/events.ts';
import { Dispatcher, type Sink } from './events/dispatcher.ts';
import { FlowsInFlight } from './events/flows-in-flight.ts';
import { logEvent } from './events/log-of-flows.ts';
import { AmqpSink } from './events/sink-amqp.ts';
import { FileSink } from './events/sink-file.ts';
import { FLOWS } from './flows/registry.ts';
import type { Tools } from './flows/tools.ts';
import { type Clock, pause, uuid } from './lib/clock.ts';
import type { BackendConfig, Config, FileBackendConfig } from './lib/config/config.ts';
import { exec } from './lib/exec.ts';
import { keepUp, round } from './lib/keep-up.ts';
import type { Log } from './lib/logging.ts';
import { Troubles } from './lib/troubles.ts';
import { unhandled } from './lib/unhandled.ts';
import { hostOf, laneOfHost } from './model/backend.ts';
import { DriverNotInitialized } from './model/errors.ts';
import { checkOptions, type SchedulerOptions } from './scheduler/options.ts';
import { loopsOf, type UpkeepLoop } from './upkeep/loops.ts';
import { BackendService } from './upkeep/serve-backend.ts';

const EVENTS_LEADER = 'pumice-events';

export interface ServiceOptions {
  /** Also told what the engine does: a progress bar, a test. */
  readonly listen?: EngineListener;
  /** The process' own name in the engine; a new one each time. */
  readonly process?: string;
  /** Of what is done again and again, for a test that cannot wait. */
  readonly clock?: Clock;
  /** What this process owned may be another's now (PostgreSQL only): it must end, and be started again. */
  lost?(): void;
}

/** Opens the database, which brings its schema forward and lets no second server in, and makes the rest. */
export async function wire(config: Config, log: Log, options: ServiceOptions = {}): Promise<PumiceService> {
  mkdirSync(config.data_directory, { recursive: true });
  mkdirSync(config.images.image_conversion_dir, { recursive: true });
  const scheduler = schedulerOptions(config);
  checkOptions(scheduler);
  const policy = policyOf(config);
  const db = await openDatabase(config.database.url, { as: 'server', readers: config.database.max_pool_size });
  return new PumiceService(config, log, db, { scheduler, policy }, options);
}

export class PumiceService {
  readonly flows = new FlowsInFlight(() => this.engine.running());
  readonly requests = new RequestsInFlight();
  readonly db: Database;
  readonly engine: Engine<Tools, Tx>;
  readonly desk: Desk;
  readonly api: FastifyInstance;
  readonly backends: readonly BackendService[];
  readonly troubles: Troubles;
  /** What this process does by itself, but for what the dispatcher and the engine do. */
  readonly upkeep: readonly UpkeepLoop[];
  readonly dispatcher: Dispatcher;
  readonly #config: Config;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #loops: Promise<unknown>[] = [];
  readonly #lost: (() => void) | undefined;

  constructor(
    config: Config,
    log: Log,
    db: Database,
    { scheduler, policy }: { readonly scheduler: SchedulerOptions; readonly policy: Policy },
    { listen, process = uuid(), clock, lost }: ServiceOptions,
  ) {
    this.#config = config;
    this.#lost = lost;
    this.#log = log;
    this.db = db;
    const node = config.node_name;
    this.troubles = new Troubles({
      log,
      ...(clock && { clock }),
      keep: (upkeep, about, trouble) =>
        db.write((tx) =>
          trouble === undefined
            ? dropTrouble(tx, { process, upkeep, about })
            : putTrouble(tx, { process, node, upkeep, about, reason: trouble.reason, since: trouble.since }),
        ),
    });
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
        troubles: this.troubles,
        owned: (host) => this.engine.own(laneOfHost(host)),
      });
    });
    const keystone =
      config.api.auth_strategy === 'keystone' ? keystoneOf(config.keystone, log, this.troubles) : undefined;
    const tools: Tools = {
      driver: (host) => this.#driver(host),
      attachment: (id) => getAttachment(db.read, id),
      images: imagesOf(config, keystone),
      conversionDirectory: config.images.image_conversion_dir,
      conversionTimeoutMs: config.images.image_conversion_timeout_seconds * 1000,
      scheduler,
      maxAttempts: config.scheduler.scheduler_max_attempts,
      quota: config.quota,
      serviceDownSeconds: config.services.service_down_time,
      messageTtlSeconds: config.message_ttl,
    };
    this.dispatcher = new Dispatcher({
      outbox: {
        newest: (before) => newestEvent(db.read, before),
        undelivered: (sink, seq, limit) => undelivered(db.read, sink, seq, limit),
        markDelivered: (sink, seqs) => db.write((tx) => markDelivered(tx, sink, seqs)),
        prune: (sinks, before, limit) => db.write((tx) => pruneEvents(tx, sinks, before, limit)),
      },
      sinks: sinksOf(config),
      leads: () => db.ownership.take(EVENTS_LEADER),
      troubles: this.troubles,
      retentionDays: config.notifications.retention_days,
    });
    this.engine = new Engine<Tools, Tx>({
      journal: new DatabaseJournal(db),
      tools,
      flows: FLOWS,
      process,
      listen: (event) => {
        logEvent(log, this.troubles, event);
        this.flows.hear(event);
        if (event.is === 'flow-ended' || event.is === 'task-done') this.dispatcher.wake();
        listen?.(event);
      },
      concurrency: config.flows.concurrency,
      maxClaims: config.flows.max_claims_without_progress,
      keepEndedDays: config.flows.keep_ended_days,
    });
    this.desk = { db, engine: this.engine, tools, config, log };
    this.upkeep = loopsOf({ desk: this.desk, backends: this.backends, troubles: this.troubles });
    const strategy = strategyOf({ config, policy, keystone, db, log, signal: this.#stop.signal });
    this.api = buildApi({ desk: this.desk, log, policy, requests: this.requests, ...strategy });
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
    await dropTroublesOfTheDead(this.db);
    for (const loop of this.upkeep) if (loop.atStart) await round(loop, this.troubles, signal);
    const first = new Map(this.backends.map((backend) => [backend, backend.start(signal)]));
    // A host that another process serves is waited for, but not by those who only want this one to listen.
    await Promise.race([Promise.all(first.values()), pause(this.#config.services.report_interval * 1000, signal)]);
    this.#loops.push(
      this.dispatcher.run(signal),
      ...this.upkeep.map(async (loop) => {
        if (loop.backend) await first.get(loop.backend);
        await keepUp(loop, this.troubles, signal);
      }),
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
    if (this.db.ownership.lost) this.db.giveUp();
    await this.api.close();
    await this.engine.stop();
    this.#stop.abort(new Error('The service stops.'));
    await Promise.allSettled(this.#loops);
    for (const backend of this.backends) backend.stop();
    await this.troubles.kept();
    await dropTroublesOf(this.db, this.engine.process).catch(() => {});
    await this.db.close();
  }

  #driver(host: string): VolumeDriver {
    const backend = this.backends.find((each) => each.host === hostOf(host));
    if (backend === undefined) throw new DriverNotInitialized(`${hostOf(host)} is not served here.`);
    if (backend.driver === undefined)
      throw new DriverNotInitialized(`${backend.host} cannot be used: ${backend.failure}`);
    return backend.driver;
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
  switch (section.driver) {
    case 'file':
      return fileDriver(section, config);
    default:
      return unhandled(section.driver);
  }
}

function fileDriver(section: FileBackendConfig, config: Config): FileDriver {
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
  const { drivers, file, amqp_url: url = '', amqp_durable_queues: durable, topics } = notifications;
  return drivers.map((driver) => (driver === 'file' ? new FileSink(file) : new AmqpSink({ url, topics, durable })));
}
