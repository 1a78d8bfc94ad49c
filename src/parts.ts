/**
 * The parts of a service that come from its configuration: the database, the drivers, the sinks, the image service, the strategy of
 * authentication.
 *
 * What not every service has (users of its own, Keystone, Glance, iSCSI, a broker, metrics) is loaded by those who have it: others
 * start quicker, and are smaller.
 */
import { mkdirSync } from 'node:fs';
import { Policy } from './api/policy/policy.ts';
import { type Strategy, strategyOf } from './api/strategies.ts';
import { imagesOf } from './clients/image-store.ts';
import type { Keystone } from './clients/keystone.ts';
import { type Database, openDatabase } from './db/database.ts';
import { DatabaseJournal } from './db/journal.ts';
import { keepTroubles } from './db/troubles.ts';
import { driverOf } from './drivers/driver-of.ts';
import { HostCopies } from './drivers/host-copies.ts';
import type { EngineListener } from './engine/events.ts';
import type { Sink } from './events/dispatcher.ts';
import { FLOWS } from './flows/registry.ts';
import { type Clock, uuid } from './lib/clock.ts';
import type { BackendConfig, Config } from './lib/config/config.ts';
import { hostOfSection } from './lib/config/config-rules.ts';
import type { Log } from './lib/logging.ts';
import { Troubles } from './lib/troubles.ts';
import type { Metrics } from './metrics/metrics.ts';
import type { ImageStore } from './model/image.ts';
import { checkOptions, type SchedulerOptions } from './scheduler/options.ts';
import type { Tracing } from './traces/tracing.ts';
import { tracingOf } from './traces/wanted.ts';
import type { ServedBackend } from './upkeep/serve-backend.ts';

export interface ServiceOptions {
  /** Also told what the engine does: a progress bar, a test. */
  readonly listen?: EngineListener;
  /** The process' own name in the engine; a new one each time. */
  readonly process?: string;
  /** Which Pumice it is, for those who watch. */
  readonly version?: string;
  /** Of what is done again and again, for a test that cannot wait. */
  readonly clock?: Clock;
  /** Says whether traces are wanted (`traces/wanted.ts`). Default: nothing is said. */
  readonly environment?: NodeJS.ProcessEnv;
  /** What this process owned may be another's now (PostgreSQL only): it must end, and be started again. */
  lost?(): void;
}

export interface Parts {
  readonly process: string;
  readonly db: Database;
  /** Aborted when the service stops. */
  readonly stop: AbortController;
  readonly scheduler: SchedulerOptions;
  readonly policy: Policy;
  readonly copies: HostCopies;
  readonly backends: readonly ServedBackend[];
  readonly sinks: readonly Sink[];
  readonly troubles: Troubles;
  readonly images: ImageStore;
  readonly strategy: Strategy;
  readonly metrics: Metrics | undefined;
  /** Undefined where nobody asked for traces. */
  readonly tracing: Tracing | undefined;
}

/** Opens the database, which brings its schema forward and lets no second server in, and makes the rest. */
export async function makeParts(config: Config, log: Log, options: ServiceOptions): Promise<Parts> {
  mkdirSync(config.data_directory, { recursive: true });
  mkdirSync(config.images.image_conversion_dir, { recursive: true });
  const scheduler = schedulerOptions(config);
  checkOptions(scheduler);
  const policy = policyOf(config);
  const copies = new HostCopies({ atOnce: config.max_copies, bytesPerSecond: config.volume_copy_bps_limit });
  const { process = uuid(), clock, environment = {} } = options;
  const backends = await Promise.all(config.enabled_backends.map((name) => backendOf(name, config, copies, process)));
  const sinks = await sinksOf(config);
  const metrics = await metricsOf(config, log, options);
  const db = await openDatabase(config.database.url, {
    as: 'server',
    readers: config.database.max_pool_size,
    ...(metrics && { timed: (ms) => metrics.process.committed(ms) }),
    migrating: (migrations) => log.info({ migrations }, 'the schema is brought forward; large tables take a while'),
  });
  const troubles = new Troubles({ log, ...(clock && { clock }), keep: keepTroubles(db, process, config.node_name) });
  const tracing = await tracingOf(environment, { process, troubles, flows: FLOWS, journal: new DatabaseJournal(db) });
  const keystone = await keystoneOf(config, log, troubles);
  const images = await imagesOf(config, keystone);
  const stop = new AbortController();
  const strategy = await strategyOf({ config, policy, keystone, db, log, signal: stop.signal });
  return {
    process,
    db,
    stop,
    scheduler,
    policy,
    copies,
    backends,
    sinks,
    troubles,
    images,
    strategy,
    metrics,
    tracing,
  };
}

async function metricsOf(config: Config, log: Log, { version }: ServiceOptions): Promise<Metrics | undefined> {
  return config.metrics.enabled ? new (await import('./metrics/metrics.ts')).Metrics(config, log, version) : undefined;
}

async function keystoneOf({ api, keystone }: Config, log: Log, troubles: Troubles): Promise<Keystone | undefined> {
  if (api.auth_strategy !== 'keystone') return undefined;
  return (await import('./clients/keystone.ts')).keystoneOf(keystone, log, troubles);
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

async function backendOf(name: string, config: Config, copies: HostCopies, process: string): Promise<ServedBackend> {
  const given = config.backends[name] as BackendConfig;
  const section = config.rehearsal ? (await import('./doctor/examine.ts')).asFound(given) : given;
  const { backend_availability_zone: availabilityZone } = section;
  return {
    host: hostOfSection(config, name),
    availabilityZone,
    driver: await driverOf(section, config, { copies, process }),
  };
}

/** Throws when a rule is wrong. */
function policyOf({ policy, api }: Config): Policy {
  return new Policy({ overrides: policy, legacy: !api.enforce_new_defaults });
}

async function sinksOf({ notifications, webhooks }: Config): Promise<Sink[]> {
  const { drivers, file, amqp_url: url = '', amqp_durable_queues: durable, topics } = notifications;
  const sinks = await Promise.all(
    drivers.map(async (driver) => {
      if (driver === 'file') return new (await import('./events/sink-file.ts')).FileSink(file);
      return new (await import('./events/sink-amqp.ts')).AmqpSink({ url, topics, durable });
    }),
  );
  const posted = Object.entries(webhooks).map(async ([name, { url, secret, types, ca_certificates_file: file }]) => {
    const { WebhookSink } = await import('./events/sink-webhook.ts');
    const { trustedCertificates } = await import('./http/trusted-certificates.ts');
    const ca = trustedCertificates(`webhooks.${name}.ca_certificates_file`, file);
    return new WebhookSink({ name, url, secrets: secret.split(' '), types, ...(ca !== undefined && { ca }) });
  });
  return [...sinks, ...(await Promise.all(posted))];
}
