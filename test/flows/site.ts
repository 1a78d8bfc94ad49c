/**
 * A small site for the proofs of flows: a database, two real file backends, a directory of images, a project that asks. It
 * knows what "nothing left behind" means, and looks everywhere a flow may have been.
 */
import assert from 'node:assert/strict';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { BackupKey, Backups } from '../../src/backups/backups.ts';
import { backupRequests } from '../../src/commands/backups/backup-requests.ts';
import type { Desk } from '../../src/commands/desk.ts';
import { attachmentsOfAll, getAttachment } from '../../src/db/attachments.ts';
import { allBases } from '../../src/db/backup-bases.ts';
import { listBackups } from '../../src/db/backups.ts';
import type { Database } from '../../src/db/database.ts';
import { listGroupSnapshots } from '../../src/db/group-snapshots.ts';
import { listGroups } from '../../src/db/groups.ts';
import { cachedImages } from '../../src/db/image-cache.ts';
import { getMoveSecret } from '../../src/db/move-secrets.ts';
import { countPoolUsage, listPoolUsage } from '../../src/db/pool-usage.ts';
import { VOLUME_BINARY } from '../../src/db/pools.ts';
import { backEndSpecsOf } from '../../src/db/qos-specs.ts';
import { countUsage } from '../../src/db/quota-recount.ts';
import { quotaUsage, type Usage } from '../../src/db/quotas.ts';
import { recordHeartbeat } from '../../src/db/services.ts';
import { listSnapshots, noteSnapshotProgress } from '../../src/db/snapshots.ts';
import { getVolume, listVolumes } from '../../src/db/volumes.ts';
import type { DriverCapabilities, VolumeDriver } from '../../src/drivers/driver.ts';
import { FileDriver } from '../../src/drivers/file/file-driver.ts';
import { backupTools } from '../../src/flows/backups/backup-tools.ts';
import type { BackupRequests, Tools } from '../../src/flows/tools.ts';
import { cacheLimitsOf, ImageCache } from '../../src/flows/volumes/image-cache.ts';
import type { BackendConfig, Config } from '../../src/lib/config/config.ts';
import { parseConfig } from '../../src/lib/config/read-config.ts';
import { type Exec, exec } from '../../src/lib/exec.ts';
import { silentLog } from '../../src/lib/logging.ts';
import { backendOf, hostOf } from '../../src/model/backend.ts';
import { BACKUP_BINARY } from '../../src/model/backup.ts';
import { TRANSIENT_BACKUP_STATUSES } from '../../src/model/backup-status.ts';
import type { Caller } from '../../src/model/caller.ts';
import { DriverNotInitialized } from '../../src/model/errors.ts';
import { TRANSIENT_GROUP_SNAPSHOT_STATUSES, TRANSIENT_GROUP_STATUSES } from '../../src/model/group-status.ts';
import { isTransient } from '../../src/model/status.ts';
import { DEFAULT_OPTIONS } from '../../src/scheduler/options.ts';
import { removeAbandoned, scratchDirectory } from '../scratch.ts';
import { type Hook, interposed } from './interposed.ts';
import { MemoryExports } from './memory-exports.ts';
import { SiteBackups } from './site-backups.ts';
import { SiteImages } from './site-images.ts';

export const PROJECT = 'a0b1c2d3e4f5a0b1c2d3e4f5a0b1c2d3';
export const caller: Caller = {
  userId: 'user',
  projectId: PROJECT,
  roles: ['admin'],
  isAdmin: true,
  serviceRoles: [],
  requestId: 'req-7',
};
export const BACKENDS = ['alpha', 'beta'] as const;
export type BackendName = (typeof BACKENDS)[number];
const GIB = 1024 ** 3;
const CAPACITY = { total_capacity_gb: 1_000, free_capacity_gb: 900 };

/** What killed test runs left is removed, once a process. */
let abandoned: Promise<void> | undefined;

export interface SiteOptions {
  /** `section.key=value` */
  readonly set?: readonly string[];
  /** What starts the programs of the drivers. Default: the real one. */
  readonly exec?: Exec;
  /** Volumes are reached as over iSCSI; default: by a path. */
  readonly overNetwork?: boolean;
  /** What schedules ask of. Default: the commands. */
  readonly backupRequests?: BackupRequests;
  /** Beta is on another machine, `other@beta`, to which alpha can open its volumes. */
  readonly apart?: boolean;
  /** Bases of backups are kept, whatever the file system of the tests can do. */
  readonly bases?: boolean;
  /** Backends say that a copy of a volume is a moment of it, whatever the file system of the tests can do. */
  readonly fastClone?: boolean;
}

export class Site {
  readonly directory = mkdtempSync(join(scratchDirectory(), `pumice-flows-${process.pid}-`));
  readonly database: Database;
  readonly tools: Tools;
  readonly config: Config;
  readonly images = new SiteImages(join(this.directory, 'images'));
  readonly backups = new SiteBackups();
  readonly #drivers: ReadonlyMap<string, FileDriver>;
  readonly #hooks = new Map<string, Hook>();
  readonly #apart: boolean;
  /** Of backups; and with which a new scope is encrypted. */
  keys: readonly BackupKey[] = [];
  keyId: string | null = null;
  /** The last one. */
  #desk: Desk | undefined;
  /** Backends that do not answer. */
  readonly down = new Set<string>();
  /** Where volumes are reached as over iSCSI: the file that each attachment has open. */
  readonly opened = new Map<string, string>();

  static async open(database: Database, options: SiteOptions = {}): Promise<Site> {
    abandoned ??= removeAbandoned(/^pumice-flows-(\d+)-/);
    await abandoned;
    const site = new Site(database, options);
    await site.#report();
    return site;
  }

  private constructor(
    database: Database,
    {
      set = [],
      exec: run = exec,
      overNetwork = false,
      apart = false,
      bases = false,
      fastClone = false,
      backupRequests: requests,
    }: SiteOptions,
  ) {
    this.database = database;
    this.#apart = apart;
    for (const name of [...BACKENDS, 'images', 'conversion']) mkdirSync(join(this.directory, name));
    const sections = BACKENDS.map((name) => `[backends.${name}]\ndriver = "file"\npath = "${name}"\ncreate = true\n`);
    sections.push(
      '[backup_stores.main]\nbackup_driver = "posix"\nbackup_posix_path = "backups"\npatience_seconds = 0\n',
    );
    this.config = parseConfig({ toml: sections.join(''), directory: this.directory, from: 'site.toml', set });
    this.#drivers = new Map(
      BACKENDS.map((name) => [
        this.host(name),
        saying({ backupBases: bases, ...(fastClone && { fastClone }) }, this.#driver(name, run, overNetwork)),
      ]),
    );
    this.tools = {
      driver: (pool) => {
        const host = hostOf(pool);
        const driver = this.#drivers.get(host);
        if (driver === undefined || this.down.has(host)) throw new DriverNotInitialized(`${pool} is down.`);
        return interposed<VolumeDriver>(driver, (method) => this.#hooks.get(`${host}.${method}`));
      },
      attachment: (id) => getAttachment(database.read, id),
      volume: (id) => getVolume(database.read, id),
      limits: (volumeId) => backEndSpecsOf(database.read, volumeId),
      moveSecret: (copyId) => getMoveSecret(database.read, copyId),
      snapshotProgress: (id, percent) => database.write((tx) => noteSnapshotProgress(tx, id, percent)),
      images: this.images,
      // Whatever the file system of the tests can do.
      imageCache: new ImageCache({
        db: database,
        driver: (host) => this.tools.driver(host),
        limits: (host) => cacheLimitsOf(this.config.backends[backendOf(host) ?? ''] as BackendConfig),
      }),
      backups: {
        ...backupTools(this.config, database, silentLog),
        ground: async () => interposed<Backups>(this.backups, (method) => this.#hooks.get(`backups.${method}`)),
        store: (name) => ({ ...backupTools(this.config, database, silentLog).store(name), keyId: this.keyId }),
        keys: async () => this.keys,
      },
      backupRequests: requests ?? backupRequests(() => this.#desk ?? assert.fail('Somebody asks at a desk.')),
      conversionDirectory: join(this.directory, 'conversion'),
      conversionTimeoutMs: 600_000,
      scheduler: DEFAULT_OPTIONS,
      maxAttempts: this.config.scheduler.scheduler_max_attempts,
      quota: this.config.quota,
      serviceDownSeconds: 3_600,
      messageTtlSeconds: 60,
    };
  }

  #driver(name: BackendName, run: Exec, overNetwork: boolean): FileDriver {
    const directory = this.path(name);
    const exports = overNetwork && { exports: new MemoryExports(this.opened, directory) };
    return new FileDriver({ name, directory, exec: run, create: true, ...exports });
  }

  async #report(): Promise<void> {
    const { signal } = new AbortController();
    const reports = [...this.#drivers].map(async ([host, driver]) => {
      await driver.start(signal);
      // As large as each other, whoever else fills the disk they share: of equals the first is chosen.
      const opens = this.#apart && { storage_protocol: 'iSCSI' };
      const pools = (await driver.stats(signal)).map((pool) => ({ ...pool, ...CAPACITY, ...opens }));
      const heartbeat = { host, binary: VOLUME_BINARY, availabilityZone: 'nova', pools, failure: null };
      await this.database.write((tx) => recordHeartbeat(tx, heartbeat));
    });
    await Promise.all(reports);
    const beat = { host: 'node', binary: BACKUP_BINARY, availabilityZone: 'nova', pools: [], failure: null };
    await this.database.write((tx) => recordHeartbeat(tx, beat));
  }

  host(backend: BackendName): string {
    return `${this.#apart && backend === 'beta' ? 'other' : 'node'}@${backend}`;
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }

  desk(engine: Desk['engine']): Desk {
    this.#desk = { db: this.database, engine, tools: this.tools, config: this.config, log: silentLog };
    return this.#desk;
  }

  /** From now on this goes in place of the call; nothing does when it is null. */
  interpose(backend: BackendName, method: keyof VolumeDriver, hook: Hook | null): void {
    const key = `${this.host(backend)}.${method}`;
    if (hook === null) this.#hooks.delete(key);
    else this.#hooks.set(key, hook);
  }

  /** The same of the ground of backups. */
  interposeBackups(method: keyof Backups, hook: Hook | null): void {
    const key = `backups.${method}`;
    if (hook === null) this.#hooks.delete(key);
    else this.#hooks.set(key, hook);
  }

  /** A raw file that somebody else has put on a backend. */
  foreignFile(backend: BackendName, name: string, sizeGiB: number): void {
    writeFileSync(this.path(backend, name), 'theirs');
    truncateSync(this.path(backend, name), sizeGiB * GIB);
  }

  /** How an object begins: `alpha/volume-<id>`. */
  content(object: string, bytes: number): Buffer {
    const file = openSync(this.path(object), 'r');
    try {
      const buffer = Buffer.alloc(bytes);
      return buffer.subarray(0, readSync(file, buffer, 0, bytes, 0));
    } finally {
      closeSync(file);
    }
  }

  sizeGiB(object: string): number {
    return statSync(this.path(object)).size / GIB;
  }

  /** Where the object of a volume, or of a snapshot of one on this pool, is. */
  static objectOf(kind: 'volume' | 'snapshot', id: string, pool: string | null): string {
    return `${pool === null ? '' : backendOf(pool)}/${kind}-${id}`;
  }

  /** What is on the backends, but for the marks that say they are backends. */
  objects(): string[] {
    return BACKENDS.flatMap((backend) => readdirSync(this.path(backend)).map((name) => `${backend}/${name}`))
      .filter((name) => !name.endsWith('/.pumice-backend'))
      .sort();
  }

  /** What rows say is on the backends. A volume in an error status may have lost what it had. */
  async owned(): Promise<string[]> {
    const volumes = await listVolumes(this.database, {});
    const backends = new Map(volumes.map(({ id, host }) => [id, host === null ? '' : backendOf(host)]));
    const snapshots = await listSnapshots(this.database, {});
    const attachments = await attachmentsOfAll(
      this.database.read,
      volumes.map(({ id }) => id),
    );
    const cached = await cachedImages(this.database.read);
    const bases = await allBases(this.database.read);
    return [
      ...bases.map(({ backupId, pool }) => `${backendOf(pool)}/backup-${backupId}`),
      ...cached.map(({ id, pool }) => `${backendOf(pool)}/cached-image-${id}`),
      ...attachments
        .filter(({ connectionInfo }) => connectionInfo !== null)
        .map(({ id, volumeId }) => `${backends.get(volumeId)}/.export-${id}`),
      ...volumes.map(({ id, nameId }) => `${backends.get(id)}/volume-${nameId ?? id}`),
      ...snapshots.map(({ id, volumeId }) => `${backends.get(volumeId)}/snapshot-${id}`),
    ].sort();
  }

  /**
   * Everything that may be wrong however a flow ended: quota or pool usage that a recount does not give, reservations,
   * holds, transient statuses, objects that no row owns, downloads. Empty when all is well.
   */
  async leftovers(foreign: readonly string[] = []): Promise<string[]> {
    const { read } = this.database;
    const owned = new Set([...(await this.owned()), ...foreign]);
    const groups = (await listGroups(this.database, {})).filter(({ status }) =>
      TRANSIENT_GROUP_STATUSES.includes(status),
    );
    const groupSnapshots = (await listGroupSnapshots(this.database, {})).filter(({ status }) =>
      TRANSIENT_GROUP_SNAPSHOT_STATUSES.includes(status),
    );
    const backups = (await listBackups(this.database, {})).filter(({ status }) =>
      TRANSIENT_BACKUP_STATUSES.includes(status),
    );
    const transient = [...(await listVolumes(this.database, {})), ...(await listSnapshots(this.database, {}))].filter(
      ({ status }) => isTransient(status),
    );
    return [
      ...different(
        'quota',
        nonZero(await quotaUsage(read, PROJECT)),
        nonZero(await countUsage(read, PROJECT, { snapshotGigabytes: true })),
      ),
      ...different('pools', busy(await listPoolUsage(read)), busy(await countPoolUsage(read))),
      ...(await read.selectFrom('reservation').select('resource').execute()).map(
        ({ resource }) => `reservation of ${resource}`,
      ),
      ...(await read.selectFrom('hold').select('resource').execute()).map(({ resource }) => `hold on ${resource}`),
      ...(await this.#leftInBooks()),
      ...(await read.selectFrom('move_secret').select('copy_id').execute()).map(({ copy_id: id }) => `secret of ${id}`),
      ...[...transient, ...backups, ...groups, ...groupSnapshots].map(({ id, status }) => `${id} is ${status}`),
      ...this.objects()
        .filter((name) => !owned.has(name))
        .map((name) => `${name} on a backend`),
      ...readdirSync(this.tools.conversionDirectory).map((name) => `download ${name}`),
    ];
  }

  /** Of work on backups that has ended, and what is in the store and in no book. */
  async #leftInBooks(): Promise<string[]> {
    const { read } = this.database;
    const contents = await read.selectFrom('backup_content').select(['backup_id', 'packs']).execute();
    const remains = await read.selectFrom('backup_remains').select(['backup_id', 'packs']).execute();
    const known = new Set([...contents, ...remains].flatMap(({ packs }) => JSON.parse(packs) as readonly string[]));
    const work = await read.selectFrom('backup_work').select('backup_id').execute();
    const bites = await read.selectFrom('backup_bite').select(['backup_id', 'pack']).execute();
    // What one that failed may be begun again with.
    const failed = await read.selectFrom('backup').select('id').where('status', '=', 'error').execute();
    const kept = failed.map(({ id }) => id).filter((id) => work.some(({ backup_id }) => backup_id === id));
    const isLeft = ({ backup_id }: { readonly backup_id: string }): boolean => !kept.includes(backup_id);
    const gone = new Set([...remains.map(({ backup_id }) => backup_id), ...this.backups.foreign, ...kept]);
    return [
      ...work.filter(isLeft).map(({ backup_id }) => `work on ${backup_id}`),
      ...bites.filter(isLeft).map(({ pack }) => `bite ${pack}`),
      ...[...this.backups.packs]
        .filter((pack) => !known.has(pack) && !gone.has(pack.split('/')[0] ?? ''))
        .map((pack) => `pack ${pack} in the store`),
      ...[...this.backups.manifests.keys()]
        .filter((id) => !gone.has(id) && !contents.some(({ backup_id }) => backup_id === id))
        .map((id) => `manifest ${id} in the store`),
    ];
  }

  async events(): Promise<string[]> {
    return (await this.database.read.selectFrom('outbox').select('event_type').orderBy('seq').execute()).map(
      (row) => row.event_type,
    );
  }

  async messages(): Promise<string[]> {
    return (await this.database.read.selectFrom('message').select('event_id').execute()).map((row) => row.event_id);
  }

  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Says that it can do this, and does not ask the file system. */
function saying(what: Partial<DriverCapabilities>, driver: FileDriver): FileDriver {
  Object.defineProperty(driver, 'capabilities', {
    get: () => ({ ...Reflect.get(FileDriver.prototype, 'capabilities', driver), ...what }),
  });
  return driver;
}

const nonZero = (usage: Readonly<Record<string, Usage>>) =>
  Object.fromEntries(
    Object.entries(usage)
      .filter(([, { inUse, reserved }]) => inUse !== 0 || reserved !== 0)
      .sort(),
  );

const busy = (pools: readonly { readonly volumes: number; readonly provisionedGiB: number }[]) =>
  pools.filter(({ volumes, provisionedGiB }) => volumes !== 0 || provisionedGiB !== 0);

function different(what: string, kept: unknown, counted: unknown): string[] {
  try {
    assert.deepEqual(kept, counted);
    return [];
  } catch {
    return [`${what}: kept ${JSON.stringify(kept)}, counted ${JSON.stringify(counted)}`];
  }
}
