/**
 * A storm: real processes under the load of many clients, killed at random instants, then looked at.
 *
 * SIGKILL comes while the service works and while it recovers from the kill before. On PostgreSQL there are two processes that
 * serve one backend each and a third between them; one of them is also frozen until the other has taken over what it
 * owned, and thawed. A third process is another host. On Ceph there are as many processes as are asked for, each on a machine of its own, that all
 * serve one pool; any of them is also frozen for any time, or cut off from the database, from the pool, or from both. After the last strike the load stops, and what is then wrong (`invariants.ts`) is wrong for good.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { doomedImages } from '../../src/db/doomed-images.ts';
import { DatabaseJournal } from '../../src/db/journal.ts';
import { laneOfHost, nodeOf } from '../../src/model/backend.ts';
import { noRbd } from '../ceph-cluster.ts';
import { killTgtd, noTgt } from '../drivers/exports/tgt-world.ts';
import { freePort } from '../free-port.ts';
import { temporaries } from './backends.ts';
import { BackupClients } from './backup-clients.ts';
import { type Chance, chanceFrom } from './chance.ts';
import { Child, survivors } from './child.ts';
import { condition } from './condition.ts';
import { Door } from './door.ts';
import { Faults, faultsOf } from './faults.ts';
import { ImageService } from './glance.ts';
import { findViolations, unfinished, type Violation } from './invariants.ts';
import { IscsiWriters } from './iscsi-writers.ts';
import { Load } from './load.ts';
import { type Machine, noMachines } from './machines.ts';
import { applicationName, type Dialect, makeSite, NODE, type Site, WRITTEN } from './site.ts';
import { DATABASE, STORAGE, type StormPool } from './storm-pool.ts';

export interface StormOptions {
  readonly dialect: Dialect;
  /** So many processes serve one Ceph pool; without it backends are directories. On PostgreSQL alone. */
  readonly hosts?: number;
  /** Strikes: kills, and freezes where there are two processes. */
  readonly kills: number;
  readonly seed: number;
  readonly clients: number;
  /** Seconds for everything that began to end, once all is quiet. */
  readonly patience: number;
  /** One of `faulty-main.ts`. */
  readonly fault?: string;
  /** Leaves the directory there. */
  readonly keep?: boolean;
  say?(line: string): void;
}

export interface StormReport {
  readonly kills: number;
  readonly killsInStart: number;
  readonly freezes: number;
  /** From the database, the pool, or both. */
  readonly partitions: number;
  readonly requests: number;
  readonly promises: number;
  readonly lostAnswers: number;
  readonly flows: number;
  readonly reverted: number;
  readonly events: number;
  readonly survivors: number;
  /** Extends and moves of volumes that were written over iSCSI meanwhile, and the writes; 0 where there is no tgtd. */
  readonly extendedUnderWrites: number;
  readonly movedUnderWrites: number;
  /** Moves to another host that were done. */
  readonly movedBetweenHosts: number;
  readonly writes: number;
  readonly backedUp: number;
  readonly restored: number;
  /** Of downloads and uploads; null when images come from no service. */
  readonly cuts: number | null;
  /** Uploads of which less was kept. */
  readonly robbed: number | null;
  /** How often each was there, besides the kills. */
  readonly faults: string;
  readonly violations: readonly Violation[];
}

type Judged = Pick<
  StormReport,
  'flows' | 'reverted' | 'events' | 'movedBetweenHosts' | 'backedUp' | 'restored' | 'violations'
>;

interface Serving {
  readonly node: string;
  readonly backends: readonly string[];
}

interface Served {
  readonly name: string;
  readonly fault: string | undefined;
  readonly port: number;
  child: Child;
}

const SHARED = 'shared';
/** Volumes on them are written by clients from elsewhere, and move from one to the other. */
const EXPORTING = ['exporting', 'exporting-too'];
const PROCESSES: Readonly<Record<Dialect, Readonly<Record<string, Serving>>>> = {
  sqlite: { one: { node: NODE, backends: ['fast', 'large', 'old', ...EXPORTING] } },
  postgresql: {
    one: { node: NODE, backends: [SHARED, 'left', ...EXPORTING] },
    two: { node: NODE, backends: [SHARED, 'right'] },
    three: { node: 'elsewhere', backends: ['far'] },
  },
};
/** On Ceph: the backend, and its host. */
const POOL = 'ceph';
const HOST_NAMES = ['one', 'two', 'three', 'four', 'five'];
export const MOST_HOSTS = HOST_NAMES.length;
/** Each machine has ports of its own. */
const PORT = 8776;
/** Volumes move between them over the network. */
const APART = ['right', 'far'];
const POOLS = Object.fromEntries([
  ...EXPORTING.map((name) => [name, WRITTEN]),
  ...APART.map((name) => [name, 'apart']),
]);
/** Its disk is full now and then. */
const SMALL: Readonly<Record<Dialect, string>> = { sqlite: 'old', postgresql: 'left' };
/** None kills its process here: one that has died often had bad luck, and more of it the longer it works. */
const MOST_CLAIMS = 1_000;
const READY_MS = 60_000;
const FEWEST_PROMISES = 10;
const MEAN_MS = 350;
const LONGEST_MS = 2_000;
const START_MS = 900;
const SHARED_HOST = laneOfHost(`${NODE}@${SHARED}`);
const BACKUP_CLIENTS = 2;
/** Until there is a flow to freeze. */
const BUSY_MS = 3_000;
const THAW_MS = 600;
const TAKEOVER_MS = 40_000;
/** With it ends who has lost what it owned. */
const MISSED = 75;
/** Each was missed, too: this machine is slow. */
const MOST_STARTS = 5;
/** A process that is frozen or cut off for longer than 6 s counts as dead. */
const LONGEST_AWAY_MS = 10_000;
/** A pool that is silent is left to others after 8 s or so. */
const MOST_CUT_MS = 14_000;

/** The reason when it cannot be here. */
export async function storm(options: StormOptions): Promise<StormReport | { readonly missing: string }> {
  const processes = processesOf(options);
  const site = options.hosts === undefined ? await fileSite(options) : await poolSite(options, Object.keys(processes));
  if ('missing' in site) return site;
  const raging = new Storm(site, options, processes);
  try {
    return await raging.rage();
  } finally {
    await raging.end();
    if (!options.keep) await site.remove();
    else raging.kept(await site.keep());
  }
}

function processesOf({ dialect, hosts }: StormOptions): Readonly<Record<string, Serving>> {
  if (hosts === undefined) return PROCESSES[dialect];
  return Object.fromEntries(HOST_NAMES.slice(0, hosts).map((node) => [node, { node, backends: [POOL] }]));
}

function fileSite({ dialect }: StormOptions): ReturnType<typeof makeSite> {
  const serving = Object.values(PROCESSES[dialect]).filter(canServe);
  const nodes = Object.fromEntries(serving.flatMap(({ node, backends }) => backends.map((each) => [each, node])));
  return makeSite(dialect, Object.keys(nodes), {
    ...(noTgt === null && { exporting: [...EXPORTING, ...APART], pools: POOLS }),
    nodes,
    small: SMALL[dialect],
  });
}

async function poolSite({ dialect }: StormOptions, machines: readonly string[]): ReturnType<typeof makeSite> {
  const missing = noMachines() ?? noRbd;
  if (missing !== false) return { missing };
  return makeSite(dialect, [POOL], { machines, nodes: { [POOL]: POOL } });
}

/** Without exports nothing comes from another node, or goes there. */
const canServe = ({ node, backends }: Serving): boolean => node === NODE || backends.includes(POOL) || noTgt === null;

class Storm {
  readonly #site: Site;
  readonly #options: StormOptions;
  readonly #chance: Chance;
  readonly #serving: Readonly<Record<string, Serving>>;
  readonly #processes: Served[] = [];
  #images: ImageService | undefined;
  #load: Load | undefined;
  #writers: IscsiWriters | undefined;
  #backups: BackupClients | undefined;
  #faults: Faults | undefined;
  #killsInStart = 0;
  #freezes = 0;
  #partitions = 0;
  #survivors = 0;
  readonly #violations: Violation[] = [];

  constructor(site: Site, options: StormOptions, serving: Readonly<Record<string, Serving>>) {
    this.#site = site;
    this.#serving = serving;
    this.#options = options;
    this.#chance = chanceFrom(options.seed);
  }

  async rage(): Promise<StormReport> {
    const { clients, kills, seed } = this.#options;
    // Where one process can take over another's flow, images are downloaded by one and removed by the other. Half of the other
    // storms read them where they lie.
    if (this.#site.dialect === 'postgresql' || seed % 2 === 1)
      this.#images = await ImageService.start(this.#site.imageDirectory, chanceFrom(seed + 2));
    await this.#start();
    const somebody = (): string | undefined => this.#chance.among(this.#processes)?.child.url;
    const door = new Door(somebody);
    this.#load = new Load(this.#site, door, chanceFrom(seed + 1));
    const written = this.#site.backends.filter(({ pool }) => pool === WRITTEN);
    this.#writers = new IscsiWriters(door, written);
    if (written.length > 0) await this.#writers.start(new Door(somebody));
    await this.#load.makeTypes();
    this.#load.start(clients);
    this.#backups = new BackupClients(door, chanceFrom(seed + 4));
    this.#backups.start(BACKUP_CLIENTS);
    const services = () => this.#processes.map(({ child }) => child.pid);
    this.#faults = new Faults(faultsOf(this.#site, this.#images, services), chanceFrom(seed + 3));
    this.#faults.start();
    let struck: Served | undefined;
    for (let strikes = 0; strikes < kills; strikes += 1) struck = await this.#strike(struck);
    await this.#allServe();
    // On a machine so slow that the kills left no time for a request, the storm would prove nothing.
    await condition('something is promised', READY_MS, () => promisesIn(door).length >= FEWEST_PROMISES);
    await this.#load.stop();
    await this.#backups.stop();
    await this.#faults.stop();
    for (const what of await this.#writers.stop()) this.#violate('lost writes', what);
    const facts = await this.#settle(door, this.#load, this.#backups);
    return {
      kills: kills - this.#freezes - this.#partitions,
      killsInStart: this.#killsInStart,
      freezes: this.#freezes,
      partitions: this.#partitions,
      requests: door.ledger.length,
      promises: promisesIn(door).length,
      lostAnswers: door.ledger.filter(({ status }) => status === null).length,
      survivors: this.#survivors,
      extendedUnderWrites: this.#writers.extended,
      movedUnderWrites: this.#writers.moved,
      writes: this.#writers.written,
      cuts: this.#images?.cuts ?? null,
      robbed: this.#images?.robbed ?? null,
      faults:
        Object.entries(this.#faults.had)
          .map(([name, times]) => `${times} ${name}`)
          .join(' and ') || 'none',
      ...facts,
    };
  }

  /** Whatever happened: nothing is left running. */
  async end(): Promise<void> {
    await this.#load?.stop().catch(() => {});
    await this.#backups?.stop();
    await this.#faults?.stop();
    await this.#writers?.end();
    for (const { child } of this.#processes) {
      child.thaw();
      await child.kill();
    }
    await killTgtd(this.#site.directory);
    this.#images?.close();
  }

  get #places(): readonly string[] {
    const { directory, smallDisk } = this.#site;
    return smallDisk === null ? [directory] : [directory, smallDisk];
  }

  async #start(): Promise<void> {
    const { pool } = this.#site;
    let glanceUrl = this.#images?.url;
    if (pool !== null && glanceUrl !== undefined) {
      const { address, port } = await pool.network.open(Number(new URL(glanceUrl).port));
      glanceUrl = `http://${address}:${port}`;
    }
    for (const [name, serving] of Object.entries(this.#serving)) {
      if (!canServe(serving)) continue;
      const machine = this.#machine(name);
      const port = machine === undefined ? await freePort() : PORT;
      const config = { ...serving, port, maxClaims: MOST_CLAIMS, glanceUrl, address: machine?.address };
      const fault = this.#options.fault ?? (name === 'two' ? 'slow-to-notice' : undefined);
      const file = await this.#site.configure(name, config);
      const child = new Child({ site: this.#site, name, config: file, port, fault, ...(machine && { machine }) });
      this.#processes.push({ name, port, fault, child });
      await child.ready();
    }
  }

  #machine(process: string): Machine | undefined {
    return this.#site.pool?.network.machines.find(({ name }) => name === process);
  }

  #restart(served: Served): void {
    const { name, port, fault } = served;
    const config = `${this.#site.directory}/${name}.toml`;
    const machine = this.#machine(name);
    served.child = new Child({ site: this.#site, name, config, port, fault, ...(machine && { machine }) });
  }

  async #strike(last: Served | undefined): Promise<Served> {
    const chance = this.#chance;
    if (last !== undefined && chance.is(0.3)) {
      this.#killsInStart += 1;
      await pause(chance.between(20, START_MS));
      await this.#kill(last, 'in its start');
      return last;
    }
    const victim = chance.among(this.#processes) as Served;
    await this.#allServe();
    await pause(chance.after(MEAN_MS, 5, LONGEST_MS));
    if (this.#wasMissed(victim)) this.#restart(victim);
    else if (!victim.child.alive) {
      this.#violate('P2', `${victim.name} ended by itself: ${await victim.child.lastWords()}`);
      this.#restart(victim);
    } else if (this.#site.pool !== null && chance.is(0.5))
      await (chance.is(0.5) ? this.#freezeAnyTime(victim) : this.#cutOff(victim, this.#site.pool));
    else if (this.#site.pool === null && this.#processes.length > 1 && chance.is(0.4)) return this.#freeze();
    else await this.#kill(victim, 'at work');
    if (chance.is(0.2) && (await killTgtd(this.#site.directory)) > 0) this.#say('killed tgtd');
    return victim;
  }

  async #kill(victim: Served, when: string): Promise<void> {
    await victim.child.kill();
    this.#survivors += (await survivors(...this.#places)).filter((line) => /cp|qemu-img/.test(line)).length;
    this.#say(`killed ${victim.name} ${when}`);
    this.#restart(victim);
  }

  /**
   * Whoever has the shared backend is frozen while it works there. The server drops its sessions, as it does when a host falls
   * silent; the other takes what it owned. Then it is thawed.
   */
  async #freeze(): Promise<Served> {
    this.#freezes += 1;
    const all = this.#chance.is(0.5);
    const database = await openDatabase(this.#site.databaseUrl, { as: 'tool' });
    try {
      const victim = await this.#ownerOfShared(database);
      await condition('a flow works there', BUSY_MS, () => isBusy(database)).catch(() => {});
      victim.child.freeze();
      await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name LIKE ${`% of ${applicationName(victim.name)}`} AND (${all} OR pid IN (
          SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted))`.execute(database.read);
      await condition(`${SHARED} is owned again`, TAKEOVER_MS, async () =>
        (await database.ownership.held([SHARED_HOST])).has(SHARED_HOST),
      );
      await pause(this.#chance.between(0, THAW_MS));
      victim.child.thaw();
      if (!(await victim.child.ends(TAKEOVER_MS))) {
        this.#violate('P2', `${victim.name} was frozen, lost what it owned, and goes on as if nothing had happened.`);
        await victim.child.kill();
      }
      this.#say(`froze and thawed ${victim.name}${all ? '' : ', its writing session alive'}`);
      this.#restart(victim);
      return victim;
    } finally {
      await database.close();
    }
  }

  /** It was missed, or it was not: others have taken over what it did, or it goes on. */
  async #freezeAnyTime(victim: Served): Promise<void> {
    this.#freezes += 1;
    const ms = this.#chance.between(100, LONGEST_AWAY_MS);
    victim.child.freeze();
    await pause(ms);
    victim.child.thaw();
    this.#say(`froze ${victim.name} for ${ms} ms`);
  }

  async #cutOff(victim: Served, { network }: StormPool): Promise<void> {
    this.#partitions += 1;
    const machine = network.machines.find(({ name }) => name === victim.name) as Machine;
    const cut = this.#chance.among([[DATABASE], [STORAGE], [DATABASE, STORAGE]]) as readonly string[];
    const ms = this.#chance.between(100, MOST_CUT_MS);
    for (const each of cut) machine.cut(each);
    await pause(ms);
    for (const each of cut) machine.mend(each);
    this.#say(`cut ${victim.name} off from ${cut.join(' and ')} for ${ms} ms`);
  }

  /**
   * On machines of their own: it has found out that others have gone on without it, and has ended. It was frozen or cut off, now or a while
   * ago, or this machine is so slow that it said nothing for as long.
   */
  #wasMissed({ child }: Served): boolean {
    return this.#site.pool !== null && child.exitCode === MISSED;
  }

  async #allServe(): Promise<void> {
    for (const served of this.#processes) {
      for (let tries = MOST_STARTS; ; tries -= 1) {
        try {
          await served.child.ready();
          break;
        } catch (error) {
          if (tries === 0 || !this.#wasMissed(served)) throw error;
          this.#restart(served);
        }
      }
    }
  }

  async #ownerOfShared({ read }: Database): Promise<Served> {
    let owner: Served | undefined;
    await condition(`${SHARED} has an owner`, TAKEOVER_MS, async () => {
      const { rows } = await sql<{ name: string }>`SELECT application_name AS name FROM pg_stat_activity
        JOIN pg_locks USING (pid) WHERE locktype = 'advisory' AND objsubid = 1 AND granted
          AND (classid::bigint << 32) | objid::bigint = hashtextextended(${SHARED_HOST}, 0)`.execute(read);
      owner = this.#processes.find(({ name }) => rows[0]?.name.endsWith(` of ${applicationName(name)}`));
      return owner !== undefined;
    });
    return owner as unknown as Served;
  }

  async #settle(door: Door, load: Load, backups: BackupClients): Promise<Judged> {
    const { patience } = this.#options;
    const database = await openDatabase(this.#site.databaseUrl, { as: 'tool' });
    try {
      await this.#patiently(`every flow ends`, patience, async () => (await unfinished(database)).running === 0);
      await this.#patiently(
        'every event is delivered',
        patience,
        async () => (await unfinished(database)).events === 0,
      );
      await this.#patiently(
        'what uploads have left is removed',
        patience,
        async () => (await doomedImages(database.read, 1)).length === 0,
      );
      await this.#patiently('what backups have left is removed', patience, () => nothingRemains(database));
      await this.#stopAll();
      await condition('what outlived its service ends', 30_000, async () => {
        return (await survivors(...this.#places)).length === 0;
      });
      // The temporaries of what was killed last are swept by a start.
      for (const served of this.#processes) this.#restart(served);
      for (const { child } of this.#processes) await child.ready();
      await this.#patiently('no temporary is left', 20, async () => (await temporaries(this.#site)).length === 0);
      await this.#stopAll();
      const judged = await this.#judge(database, door, load, backups);
      if (this.#options.keep) await this.#write(database, door, judged.violations);
      return judged;
    } finally {
      await database.close();
    }
  }

  async #judge(database: Database, door: Door, load: Load, backups: BackupClients): Promise<Judged> {
    const { flows, reverted, events, violations } = await findViolations({
      database,
      site: this.#site,
      ledger: door.ledger,
      clientFiles: load.clientFiles,
      uploads: load.uploads,
      emptyImages: this.#images?.empty ?? [],
      processes: this.#processes.map(({ name }) => name),
      backups,
    });
    const all = [...this.#violations, ...violations];
    const counts = { flows, reverted, events, movedBetweenHosts: await movesBetweenHosts(database) };
    return { ...counts, ...(await backupsDone(database)), violations: all };
  }

  /** All there is to be read by whoever wants to know why; a PostgreSQL of the storm is gone with it. */
  async #write({ read }: Database, { ledger }: Door, violations: readonly Violation[]): Promise<void> {
    const aftermath = {
      violations,
      ledger,
      flows: await read.selectFrom('flow').selectAll().orderBy('created_at').execute(),
      steps: await read.selectFrom('flow_step').selectAll().orderBy('at').execute(),
      volumes: await read.selectFrom('volume').selectAll().execute(),
      snapshots: await read.selectFrom('snapshot').selectAll().execute(),
      backups: await read.selectFrom('backup').selectAll().execute(),
      backupContents: await read.selectFrom('backup_content').selectAll().execute(),
      events: await read.selectFrom('outbox').selectAll().orderBy('seq').execute(),
    };
    await writeFile(join(this.#site.directory, 'aftermath.json'), JSON.stringify(aftermath, null, 1));
  }

  kept(directory: string): void {
    this.#say(`kept in ${directory}`);
  }

  async #stopAll(): Promise<void> {
    for (const served of this.#processes) {
      const { child, name } = served;
      await child.stop().catch(async (error: unknown) => {
        if (this.#wasMissed(served)) return;
        this.#violate('P2', error instanceof Error ? error.message : String(error));
        await child.kill();
        this.#say(`${name} had to be killed`);
      });
    }
  }

  /** What never comes is a violation that is explained later, by what is found. */
  async #patiently(what: string, seconds: number, holds: () => Promise<boolean>): Promise<void> {
    await condition(what, seconds * 1_000, holds, 100).catch((error: unknown) => {
      this.#violate('P2', error instanceof Error ? error.message : String(error));
    });
  }

  #violate(promise: string, what: string): void {
    this.#violations.push({ promise, what });
    this.#say(`${promise}: ${what}`);
  }

  #say(line: string): void {
    this.#options.say?.(line);
  }
}

const promisesIn = ({ ledger }: Door) => ledger.filter(({ status }) => status !== null && status < 300);

async function isBusy({ read }: Database): Promise<boolean> {
  const flow = await read
    .selectFrom('flow')
    .select('id')
    .where('ended_at', 'is', null)
    .where('owner', 'is not', null)
    .where('lane', '=', SHARED_HOST)
    .limit(1)
    .executeTakeFirst();
  return flow !== undefined;
}

async function nothingRemains({ read }: Database): Promise<boolean> {
  return (await read.selectFrom('backup_remains').select('backup_id').limit(1).executeTakeFirst()) === undefined;
}

/** Of those that succeeded. */
async function backupsDone({ read }: Database): Promise<Pick<StormReport, 'backedUp' | 'restored'>> {
  const done = await read.selectFrom('flow').select('name').where('state', '=', 'success').execute();
  const count = (names: readonly string[]): number => done.filter(({ name }) => names.includes(name)).length;
  return { backedUp: count(['create_backup']), restored: count(['restore_backup', 'create_volume_from_backup']) };
}

/** Of those that succeeded. */
async function movesBetweenHosts(database: Database): Promise<number> {
  const journal = new DatabaseJournal(database);
  const moves = (await journal.list({ state: 'success' })).filter(({ name }) => /^(migrate|retype)_volume$/.test(name));
  const steps = await Promise.all(moves.map(({ id }) => journal.steps(id)));
  return moves.filter(({ input }, index) => {
    const from = nodeOf(String(input.pool));
    return steps[index]?.some(({ event, data }) => {
      const to = event === 'done' ? data?.destination : undefined;
      return typeof to === 'string' && nodeOf(to) !== from;
    });
  }).length;
}
