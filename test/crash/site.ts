/**
 * Where a storm happens: a directory with backends, images, databases and configurations, all of it new, and gone at the end.
 *
 * Programs that copy (`cp`, `qemu-img`) are found under names of their own that dawdle, so that kills hit them in their work,
 * and what outlives its service writes when the next one is long at work.
 */
import { chmod, mkdir, mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { DirectoryImages } from '../../src/clients/image-directory.ts';
import { FileDriver } from '../../src/drivers/file/file-driver.ts';
import { exec } from '../../src/lib/exec.ts';
import { cannotMount, mountFileSystem } from '../drivers/file/file-systems.ts';
import { freePort } from '../free-port.ts';
import { type NoServer, startPostgresql } from '../postgresql-server.ts';
import { removeAbandoned, scratchDirectory } from '../scratch.ts';
import { writeContent } from './content.ts';
import { DATABASE, StormPool } from './storm-pool.ts';

export type Dialect = 'sqlite' | 'postgresql';

export interface SiteBackend {
  readonly name: string;
  readonly directory: string;
  /** Of the process that serves it. Nodes are hosts to the service: between two of them a volume is read over the network. */
  readonly node: string;
  /** It exports over iSCSI, on this port, and does not go away. */
  readonly iscsiPort?: number;
  /** Its `volume_backend_name`: that of its pool, and what volume types ask for. */
  readonly pool: string;
  /** It may be on a small disk, and keeps an image where blocks can be shared. */
  readonly isSmall: boolean;
}

export interface SiteImage {
  readonly id: string;
  readonly content: string;
}

export interface Site {
  readonly directory: string;
  readonly dialect: Dialect;
  readonly databaseUrl: string;
  readonly backends: readonly SiteBackend[];
  readonly images: { readonly good: readonly SiteImage[]; readonly bad: readonly SiteImage[] };
  readonly imageDirectory: string;
  /** Where backups are kept: on the small disk where there is one, else beside the backends. */
  readonly store: string;
  readonly notifications: string;
  /** A file system that one of the backends has to itself; null where none can be mounted. */
  readonly smallDisk: string | null;
  /** In place of directories: all backends are this pool. */
  readonly pool: StormPool | null;
  /** Of each process, by its name. */
  conversionDirectory(process: string): string;
  /** Writes the configuration of a process; returns the file. */
  configure(process: string, options: ProcessOptions): Promise<string>;
  /** First on the PATH of a process. */
  readonly programs: string;
  remove(): Promise<void>;
  /** Gives it a name that no later storm removes; returns it. */
  keep(): Promise<string>;
}

export interface ProcessOptions {
  readonly port: number;
  readonly backends: readonly string[];
  readonly node: string;
  /** How often a flow may die in a row. */
  readonly maxClaims?: number;
  /** Of the image service; images come from the directory without it. */
  readonly glanceUrl: string | undefined;
  /** Where it listens, when it is on another machine. */
  readonly address?: string | undefined;
}

export const NODE = 'node';
export const applicationName = (process: string): string => `pumice-${process}`;
export const QUOTA = { volumes: 12, snapshots: 10, gigabytes: 30, backups: 10 } as const;
const IMAGE_BYTES = 32 * 1024 ** 2;

export interface Placing {
  /** Backends that export over iSCSI. */
  readonly exporting?: readonly string[];
  /** Pools of backends that are not called as these. */
  readonly pools?: Readonly<Record<string, string>>;
  /** Backends of another node, by its name. */
  readonly nodes?: Readonly<Record<string, string>>;
  /** The backend with a small disk, which shares blocks, and with a cache of images. */
  readonly small?: string;
  /** Processes on machines of their own: the backends are one Ceph pool, and so is their host. */
  readonly machines?: readonly string[];
}

/** XFS takes no less. */
const SMALL_MIB = 320;

export async function makeSite(
  dialect: Dialect,
  backends: readonly string[],
  { exporting = [], pools = {}, nodes = {}, small, machines }: Placing = {},
): Promise<Site | NoServer> {
  await removeAbandoned(/^pumice-chaos-(\d+)-/);
  const directory = await mkdtemp(join(scratchDirectory(), `pumice-chaos-${process.pid}-`));
  const disk = small !== undefined && cannotMount('xfs') === null ? mountFileSystem('xfs', SMALL_MIB) : null;
  let pool: StormPool | null = null;
  const remove = async (): Promise<void> => {
    disk?.remove();
    await pool?.remove();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const database =
      dialect === 'sqlite' ? { url: `sqlite:${join(directory, 'pumice.sqlite')}` } : await newPostgresqlDatabase();
    if ('missing' in database) {
      await remove();
      return database;
    }
    const imageDirectory = join(directory, 'images');
    pool = machines === undefined ? null : await StormPool.make(directory, machines);
    const gate = await pool?.network.open(Number(new URL(database.url).port), DATABASE);
    const site: Site = {
      directory,
      dialect,
      databaseUrl: database.url,
      backends: await Promise.all(
        backends.map(async (name) => ({
          name,
          directory: join(name === small && disk !== null ? disk.path : join(directory, 'backends'), name),
          node: nodes[name] ?? NODE,
          pool: pools[name] ?? name,
          isSmall: name === small,
          ...(exporting.includes(name) && { iscsiPort: await freePort() }),
        })),
      ),
      images: await makeImages(directory, imageDirectory),
      imageDirectory,
      store: join(disk?.path ?? directory, 'store'),
      notifications: join(directory, 'notifications.jsonl'),
      smallDisk: disk?.path ?? null,
      pool,
      conversionDirectory: (name) => join(directory, name, 'conversion'),
      configure: (name, options) => configure(site, name, gate, options),
      programs: await makePrograms(directory),
      remove,
      keep: async () => {
        await pool?.remove();
        const kept = directory.replace('pumice-chaos-', 'pumice-kept-');
        await rename(directory, kept);
        return kept;
      },
    };
    await mkdir(site.store);
    // Never by a service: a directory that has gone away must not be made again.
    for (const { name, directory: place } of pool === null ? site.backends : [])
      await new FileDriver({ name, directory: place, exec, create: true }).start(new AbortController().signal);
    return site;
  } catch (error) {
    await remove();
    throw error;
  }
}

async function newPostgresqlDatabase(): Promise<{ readonly url: string } | NoServer> {
  const given = process.env.TEST_DATABASE_URL;
  const server = given === undefined ? await startPostgresql() : { url: given };
  if ('missing' in server) return server;
  const name = `pumice_chaos_${process.pid}_${Math.trunc(performance.now())}`;
  const url = new URL(server.url);
  url.pathname = '/postgres';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  url.pathname = `/${name}`;
  return { url: url.href };
}

async function configure(
  site: Site,
  name: string,
  gate: { readonly address: string; readonly port: number } | undefined,
  options: ProcessOptions,
): Promise<string> {
  const { port, backends, node, maxClaims, glanceUrl, address } = options;
  const url = new URL(site.databaseUrl);
  if (gate !== undefined) url.host = `${gate.address}:${gate.port}`;
  // Tells the sessions of one process from those of another.
  else if (site.dialect === 'postgresql') url.searchParams.set('application_name', applicationName(name));
  const text = `
data_directory = "${join(site.directory, name)}"
node_name = "${node}"
enabled_backends = [${backends.map((each) => `"${each}"`).join(', ')}]
[api]
port = ${port}${address === undefined ? '' : `\nhost = "${address}"\nlisten_beyond_loopback = true`}
[database]
url = "${url.href}"
[log]
level = "warn"
[quota]
quota_volumes = ${QUOTA.volumes}
quota_snapshots = ${QUOTA.snapshots}
quota_gigabytes = ${QUOTA.gigabytes}
quota_backups = ${QUOTA.backups}
[services]
report_interval = 1${site.pool === null ? '' : '\nbackend_stats_polling_interval = 1'}
${maxClaims === undefined ? '' : `[flows]\nmax_claims_without_progress = ${maxClaims}`}
[notifications]
drivers = ["file"]
file = "${site.notifications}"
[images]
${glanceUrl === undefined ? `store = "directory"\ndirectory = "${site.imageDirectory}"` : `store = "glance"\nglance_url = "${glanceUrl}"`}
${site.backends.map((each) => (site.pool === null ? sectionOf(each) : poolSectionOf(each, site.pool))).join('\n')}
[backup_stores.main]
backup_driver = "posix"
backup_posix_path = "${site.store}"
patience_seconds = 20
`;
  const path = join(site.directory, `${name}.toml`);
  await writeFile(path, text);
  return path;
}

/** The pool of backends that clients write to over iSCSI all the time, and the type of their volumes. */
export const WRITTEN = 'written';

/** As the service calls it. */
export const hostOf = ({ node, name, pool }: SiteBackend): string => `${node}@${name}#${pool}`;

function sectionOf({ name, directory, pool, iscsiPort, isSmall }: SiteBackend): string {
  // More is promised on it than a small disk may, for all of it holds little.
  const small = isSmall
    ? '\nmax_over_subscription_ratio = 500\nimage_volume_cache_enabled = true\nimage_volume_cache_max_count = 1'
    : '';
  const exports = iscsiPort === undefined ? '' : `\ntarget_protocol = "iscsi"\ntarget_port = ${iscsiPort}`;
  return `[backends.${name}]\ndriver = "file"\npath = "${directory}"\nvolume_backend_name = "${pool}"${small}${exports}`;
}

const poolSectionOf = ({ name, node }: SiteBackend, { name: pool, ceph }: StormPool): string => `[backends.${name}]
driver = "rbd"
backend_host = "${node}"
rbd_pool = "${pool}"
rbd_ceph_conf = "${ceph.config}"
max_over_subscription_ratio = 500
image_volume_cache_enabled = true
image_volume_cache_max_count = 1`;

/** Each does its work between two short rests. */
async function makePrograms(directory: string): Promise<string> {
  const programs = join(directory, 'programs');
  await mkdir(programs);
  for (const name of ['cp', 'qemu-img']) {
    const path = join(programs, name);
    await writeFile(path, `#!/bin/sh\nsleep 0.05\n/usr/bin/${name} "$@" || exit\nsleep 0.05\n`);
    await chmod(path, 0o755);
  }
  return programs;
}

async function makeImages(directory: string, imageDirectory: string): Promise<Site['images']> {
  const { signal } = new AbortController();
  const store = new DirectoryImages({ directory: imageDirectory });
  const at = (name: string): string => join(directory, name);
  const qemu = (...args: readonly string[]) => exec(['qemu-img', ...args], { signal });
  await writeContent(at('raw'), 'image', IMAGE_BYTES);
  await qemu('convert', '-f', 'raw', '-O', 'qcow2', at('raw'), at('qcow2'));
  await qemu('create', '-q', '-f', 'qcow2', '-b', at('raw'), '-F', 'raw', at('backed'), '32M');
  await qemu('create', '-q', '-f', 'qcow2', at('large'), '500G');
  const add = async (name: string, file: string, diskFormat: 'raw' | 'qcow2' | 'vmdk'): Promise<SiteImage> => {
    const { id } = await store.add({ name, diskFormat }, at(file), signal);
    return { id, content: 'image' };
  };
  const images = {
    good: [await add('raw', 'raw', 'raw'), await add('qcow2', 'qcow2', 'qcow2')],
    bad: [
      await add('with a backing file', 'backed', 'qcow2'),
      await add('of another format', 'raw', 'vmdk'),
      await add('larger than any volume', 'large', 'qcow2'),
      await corrupted(imageDirectory, await add('whose bytes are not what they were', 'qcow2', 'qcow2')),
    ],
  };
  for (const name of ['raw', 'qcow2', 'backed', 'large']) await rm(at(name));
  return images;
}

async function corrupted(imageDirectory: string, image: SiteImage): Promise<SiteImage> {
  const file = await open(join(imageDirectory, `${image.id}.image`), 'r+');
  await file.write('!', 4096);
  await file.close();
  return image;
}
