/**
 * The composition root: the one place where things are made and handed to each other.
 *
 * `wire` makes a whole service from a configuration: the database, the backends, the engine with the flows, the door. Nothing
 * listens yet and no flow runs; `Service.start` does that, in an order that lets no request in before what it needs is there.
 *
 * What comes from the configuration alone is made by `parts.ts`.
 */
import type { FastifyInstance } from 'fastify';
import { RequestsInFlight } from './api/requests-in-flight.ts';
import { ResponseCache } from './api/response-cache.ts';
import { RowCache } from './api/row-cache.ts';
import { buildApi } from './api/server.ts';
import { backupRequests } from './commands/backups/backup-requests.ts';
import type { Desk } from './commands/desk.ts';
import { getAttachment } from './db/attachments.ts';
import type { Database } from './db/database.ts';
import { refuseHalfImported } from './db/import-progress.ts';
import { DatabaseJournal, FLOWS_CHANNEL } from './db/journal.ts';
import { getMoveSecret } from './db/move-secrets.ts';
import { EVENTS_LEADER, markDelivered, newestEvent, pruneEvents, undelivered } from './db/outbox.ts';
import { backEndSpecsOf } from './db/qos-specs.ts';
import { forgetOtherSinks, noteSink, readSink } from './db/sinks.ts';
import { noteSnapshotProgress } from './db/snapshots.ts';
import { processName } from './db/sql/ownership.ts';
import type { Tx } from './db/sql/tx.ts';
import { dropTroublesOf, dropTroublesOfTheDead } from './db/troubles.ts';
import { getVolume } from './db/volumes.ts';
import type { VolumeDriver } from './drivers/driver.ts';
import { Engine } from './engine/engine.ts';
import { Dispatcher } from './events/dispatcher.ts';
import { FlowsInFlight } from './events/flows-in-flight.ts';
import { logEvent } from './events/log-of-flows.ts';
import { backupTools, readKeys } from './flows/backups/backup-tools.ts';
import { FLOWS } from './flows/registry.ts';
import type { Tools } from './flows/tools.ts';
import { cacheLimitsOf, ImageCache } from './flows/volumes/image-cache.ts';
import { pause } from './lib/clock.ts';
import type { Config } from './lib/config/config.ts';
import { keepUp, round } from './lib/keep-up.ts';
import type { Log } from './lib/logging.ts';
import type { Troubles } from './lib/troubles.ts';
import type { Metrics } from './metrics/metrics.ts';
import { hostOf, laneOfHost, backendOf as nameOf } from './model/backend.ts';
import { BackendUnanswered, DriverNotInitialized } from './model/errors.ts';
import { makeParts, type Parts, type ServiceOptions } from './parts.ts';
import type { Tracing } from './traces/tracing.ts';
import { loopsOf, type UpkeepLoop } from './upkeep/loops.ts';
import { BackendService } from './upkeep/serve-backend.ts';

/** Opens the database, which brings its schema forward and lets no second server in, and makes the rest. */
export async function wire(config: Config, log: Log, options: ServiceOptions = {}): Promise<PumiceService> {
  return new PumiceService(config, log, await makeParts(config, log, options), options);
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
  /** Undefined where they are off. */
  readonly metrics: Metrics | undefined;
  readonly #config: Config;
  readonly #log: Log;
  readonly #stop: AbortController;
  readonly #loops: Promise<unknown>[] = [];
  readonly #lost: (() => void) | undefined;
  readonly #tracing: Tracing | undefined;

  constructor(
    config: Config,
    log: Log,
    {
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
    }: Parts,
    { listen, lost }: ServiceOptions,
  ) {
    this.#config = config;
    this.#stop = stop;
    this.#lost = lost;
    this.#tracing = tracing;
    this.#log = log;
    this.db = db;
    this.metrics = metrics;
    this.troubles = troubles;
    const deps = { db, services: config.services, log, troubles, process, readOnly: config.rehearsal };
    const lanes = {
      owned: (host: string) => this.engine.own(laneOfHost(host)),
      left: (host: string) => this.engine.disown(laneOfHost(host)),
    };
    this.backends = backends.map((backend) => new BackendService(backend, { ...deps, ...lanes }));
    const tools: Tools = {
      driver: (host) => this.#driver(host),
      attachment: (id) => getAttachment(db.read, id),
      volume: (id) => getVolume(db.read, id),
      limits: (volumeId) => backEndSpecsOf(db.read, volumeId),
      moveSecret: (copyId) => getMoveSecret(db.read, copyId),
      snapshotProgress: (id, percent) => db.write((tx) => noteSnapshotProgress(tx, id, percent)),
      images,
      imageCache: new ImageCache({
        db,
        driver: (host) => this.#driver(host),
        limits: (host) => {
          const section = config.backends[nameOf(host) ?? ''];
          return section && this.#driver(host).capabilities.fastClone ? cacheLimitsOf(section) : null;
        },
      }),
      backups: backupTools(config, db, log),
      backupRequests: backupRequests(() => this.desk),
      conversionDirectory: config.images.image_conversion_dir,
      conversionTimeoutMs: config.images.image_conversion_timeout_seconds * 1000,
      scheduler,
      maxAttempts: config.scheduler.scheduler_max_attempts,
      quota: config.quota,
      serviceDownSeconds: config.services.service_down_time,
      messageTtlSeconds: config.message_ttl,
    };
    const leads = () => db.ownership.take(EVENTS_LEADER);
    this.dispatcher = new Dispatcher({
      outbox: {
        newest: (before) => newestEvent(db.read, before),
        undelivered: (...asked) => undelivered(db.read, ...asked),
        state: (sink) => readSink(db.read, sink),
        note: (sink, seqs, change) =>
          db.write(async (tx) => {
            await markDelivered(tx, sink, seqs);
            if (change) await noteSink(tx, sink, change);
          }),
        prune: (sinks, before, limit) =>
          db.write(async (tx) => {
            await forgetOtherSinks(tx, sinks);
            return pruneEvents(tx, sinks, before, limit);
          }),
      },
      sinks,
      leads,
      troubles,
      retentionDays: config.notifications.retention_days,
    });
    this.engine = new Engine<Tools, Tx>({
      journal: new DatabaseJournal(db),
      tools,
      flows: FLOWS,
      process,
      listen: (event) => {
        logEvent(log, troubles, event);
        this.flows.hear(event);
        metrics?.hear(event);
        tracing?.hear(event);
        if (event.is === 'flow-ended' || event.is === 'task-done') this.dispatcher.wake();
        listen?.(event);
      },
      fence: async (gone, lane) => {
        const backend = this.backends.find(({ host }) => laneOfHost(host) === lane);
        await backend?.fence(gone, stop.signal);
      },
      concurrency: config.flows.concurrency,
      maxClaims: config.flows.max_claims_without_progress,
      keepEndedDays: config.flows.keep_ended_days,
    });
    this.desk = { db, engine: this.engine, tools, config, log };
    const events = { leads, deliveredUpTo: () => this.dispatcher.deliveredUpTo };
    const loops = loopsOf({ desk: this.desk, backends: this.backends, troubles, events });
    this.upkeep = config.rehearsal ? loops.filter(({ upkeep }) => upkeep === 'heartbeat') : loops;
    const { requests } = this;
    const answers = new ResponseCache(db, policy);
    const rowCache = new RowCache(db);
    const cached = { answers, rowCache };
    this.api = buildApi({
      desk: this.desk,
      log,
      policy,
      requests,
      meter: metrics?.requests,
      tracing,
      ...cached,
      ...strategy,
    });
    metrics?.read({
      ...cached,
      db,
      requests,
      troubles,
      tracing,
      copies,
      leads,
      engine: this.engine,
      upkeep: this.upkeep,
      turns: tools.backups.turns,
      dispatcher: this.dispatcher,
    });
  }

  /** Rejects when flows are in flight that this version does not know; nothing has run then. */
  async start(): Promise<void> {
    const { signal } = this.#stop;
    const { ownership } = this.db;
    const { rehearsal } = this.#config;
    await refuseHalfImported(this.db.read, rehearsal);
    await ownership.take(processName(this.engine.process));
    ownership.onLost(() => {
      this.#log.error('the session that holds what this process owns is lost');
      this.#lost?.();
    });
    await ownership.listen(FLOWS_CHANNEL, () => this.engine.wake());
    if (this.db.dialect === 'postgresql') await (await import('./db/watched-events.ts')).adoptEvents(this.db);
    if (rehearsal) await ownership.take(EVENTS_LEADER);
    else await this.engine.start();
    await dropTroublesOfTheDead(this.db);
    for (const key of await readKeys(this.#config.backup_keys))
      if (key instanceof Error) this.#log.error({ err: key }, 'a key of backups cannot be used');
    for (const loop of this.upkeep) if (loop.atStart) await round(loop, this.troubles, signal);
    const first = new Map(this.backends.map((backend) => [backend, backend.start(signal)]));
    // A host that another process serves is waited for, but not by those who only want this one to listen.
    await Promise.race([Promise.all(first.values()), pause(this.#config.services.report_interval * 1000, signal)]);
    this.#loops.push(
      ...(rehearsal ? [] : [this.dispatcher.run(signal)]),
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
    const address = await this.api.listen({ host, port });
    await this.metrics?.listen();
    return address;
  }

  /** Lets requests end, leaves flows where they stand, and lets go of what is owned. */
  async stop(): Promise<void> {
    if (this.db.ownership.lost) this.db.giveUp();
    await this.metrics?.close();
    await this.api.close();
    await this.engine.stop();
    this.#stop.abort(new Error('The service stops.'));
    await Promise.allSettled(this.#loops);
    await this.#tracing?.close();
    for (const backend of this.backends) backend.stop();
    await this.troubles.kept();
    await dropTroublesOf(this.db, this.engine.process).catch(() => {});
    await this.db.close();
  }

  #driver(host: string): VolumeDriver {
    const backend = this.backends.find((each) => each.host === hostOf(host));
    if (backend === undefined) throw new DriverNotInitialized(`${hostOf(host)} is not served here.`);
    if (backend.driver === undefined) {
      const Unusable = backend.isLeft ? BackendUnanswered : DriverNotInitialized;
      throw new Unusable(`${backend.host} cannot be used: ${backend.failure}`);
    }
    return backend.driver;
  }
}
