/**
 * What clients of a service on Ceph wait for: Pumice on PostgreSQL and Debian's Cinder, each on a pool of its own of one cluster, asked
 * the same over HTTP; and what librbd itself takes for it. And what a second process of Pumice's, which serves the same pool, needs to
 * end what one that was killed had begun; and what it all takes of memory.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { CephCluster } from '../test/ceph-cluster.ts';
import { bundled, THIS_BUILD } from './build.ts';
import { type Cinder, cinderOn } from './cinder-on-ceph.ts';
import { beside, result } from './processes.ts';
import { quantity, type Result, type Row, ratios, type Wanted } from './report.ts';
import { rounds } from './rounds.ts';
import { answering, residentMegabytes, type Served } from './startup.ts';
import { VolumeClient } from './volume-client.ts';
import { newDatabase, newDirectory, type World } from './world.ts';

const EACH = 10;
const CLIENTS = 10;
const IMAGE_GIB = 2;
const STRIKES = 4;
/** For what the work leaves behind to be given back. */
const IDLE_MS = 5_000;
const OPERATIONS = ['create', 'snapshot', 'clone', 'extend', 'delete'] as const;
type Operation = (typeof OPERATIONS)[number];

export interface Pool {
  readonly ceph: CephCluster;
  readonly name: string;
  /** Where an image service answers that has an image for a volume of `IMAGE_GIB`. */
  readonly images: string;
}

/** `made`: a pool that nothing is in. */
export async function servicesOn(world: World, made: () => Promise<Pool>): Promise<Result[]> {
  if ('missing' in world.postgresql) return [{ figure: 'services on RBD', skipped: world.postgresql.missing }];
  const pool = await made();
  const database = await newDatabase(world, 'postgresql');
  const pumice = await pumiceOn(world, database, pool, 'one');
  let cinder: Cinder | string | undefined;
  try {
    const idle = await memoryOf(pumice, 'idle');
    cinder = await cinderOn(await made());
    const theirs = typeof cinder === 'string' ? undefined : cinder.address;
    const rows = await besideOthers(world, pumice.address, theirs, await made());
    const without = typeof cinder === 'string' ? [{ figure: 'the same beside Cinder', skipped: cinder }] : [];
    const worked = await memoryOf(pumice, 'after this work');
    return [...rows, ...without, idle, worked, await takeovers(world, database, pool, pumice)];
  } finally {
    await pumice.stop();
    if (typeof cinder === 'object') await cinder.stop();
  }
}

/** With its helpers. */
async function memoryOf({ pid }: Served, when: string): Promise<Row> {
  await delay(IDLE_MS);
  return {
    figure: `memory of the service and of its helper, ${when}`,
    measured: quantity([allMegabytes(pid)], 'MB'),
    beside: { what: 'of which the service', quantity: quantity([residentMegabytes(pid)], 'MB') },
    wanted: { of: 'measured', atMost: 150 },
  };
}

async function besideOthers(world: World, ours: string, theirs: string | undefined, pool: Pool): Promise<Row[]> {
  const of = (address: string) => async () => figuresOf(new VolumeClient(address), world.haste);
  const measured = await rounds(
    world.rounds,
    { pumice: of(ours), cinder: theirs === undefined ? undefined : of(theirs), bare: () => bareMs(world, pool) },
    world.tell,
  );
  const row = (figure: string, unit: string, wanted: Wanted, value: (figures: Figures) => number): Row => {
    const [here, there] = [measured.pumice.map(value), measured.cinder.map(value)];
    return {
      figure,
      measured: quantity(here, unit),
      ...(there.length > 0 && {
        beside: { what: "Debian's Cinder", quantity: quantity(there, unit) },
        ratio: ratios(here, there),
        wanted,
      }),
    };
  };
  const fifth = { of: 'ratio', atMost: 0.2 } as const;
  const ofOne = (name: Operation): Row[] => {
    const seen = row(`${name}, until a client sees it, one client`, 'ms', fifth, ({ ms }) => ms[name]);
    const bare = measured.bare.map((ms) => ms[name]);
    return [
      seen,
      {
        figure: seen.figure,
        measured: seen.measured,
        beside: { what: 'librbd itself', quantity: quantity(bare, 'ms'), isLimit: true },
        ratio: ratios(seen.measured.values, bare),
      },
    ];
  };
  return [
    ...OPERATIONS.flatMap(ofOne),
    row(`volumes created, ${CLIENTS} clients`, '/s', { of: 'ratio', atLeast: 10 }, ({ perSecond }) => perSecond),
    row(
      `a volume of a qcow2 image of ${IMAGE_GIB} GiB, at no rate`,
      's',
      { of: 'ratio', atMost: 0.5 },
      ({ image }) => image,
    ),
  ];
}

/** Medians. */
type Milliseconds = Readonly<Record<Operation, number>>;

/** `bare-rbd.py`, in the package of whose bindings the helper's are. */
const bareMs = ({ haste }: World, { ceph, name }: Pool): Promise<Milliseconds> =>
  result('/usr/bin/python3', [beside('bare-rbd.py'), ceph.config, 'cinder', name, String(timesEach(haste))]);

const timesEach = (haste: number): number => Math.max(3, Math.ceil(EACH / haste));

interface Figures {
  readonly ms: Milliseconds;
  readonly perSecond: number;
  readonly image: number;
}

async function figuresOf(client: VolumeClient, haste: number): Promise<Figures> {
  const each = timesEach(haste);
  const times = new Map<Operation, number[]>(OPERATIONS.map((name) => [name, []]));
  const timed = async <T>(name: Operation, work: () => Promise<T>): Promise<T> => {
    const begun = performance.now();
    const done = await work();
    times.get(name)?.push(performance.now() - begun);
    return done;
  };
  for (let at = 0; at < each; at += 1) {
    const volume = await timed('create', () => client.create({ size: 1 }));
    await timed('snapshot', () => client.snapshot(volume));
    const clone = await timed('clone', () => client.create({ source_volid: volume }));
    await timed('extend', () => client.extend(clone, 2));
    await timed('delete', () => client.remove(clone));
  }
  const many = each * 4;
  let left = many;
  const begun = performance.now();
  const one = async (): Promise<void> => {
    while (left-- > 0) await client.create({ size: 1 });
  };
  await Promise.all(Array.from({ length: CLIENTS }, one));
  const perSecond = (many * 1000) / (performance.now() - begun);
  const asked = performance.now();
  const fromImage = await client.create({ size: IMAGE_GIB, imageRef: crypto.randomUUID() });
  const image = (performance.now() - asked) / 1000;
  await client.remove(fromImage);
  const medians = OPERATIONS.map((name) => [name, times.get(name)?.toSorted((a, b) => a - b)[Math.floor(each / 2)]]);
  return { ms: Object.fromEntries(medians), perSecond, image };
}

async function pumiceOn(world: World, database: string, pool: Pool, node: string): Promise<Served> {
  bundled(THIS_BUILD);
  const directory = newDirectory(world);
  const config = join(directory, 'pumice.toml');
  writeFileSync(
    config,
    `data_directory = ${JSON.stringify(directory)}
node_name = "${node}"
database.url = "${database}"
quota.quota_volumes = -1
quota.quota_snapshots = -1
quota.quota_gigabytes = -1
volume_copy_bps_limit = 0
log.level = "warn"
images.store = "glance"
images.glance_url = "${pool.images}"

[backends.ceph]
driver = "rbd"
backend_host = "ceph"
rbd_pool = "${pool.name}"
rbd_ceph_conf = "${pool.ceph.config}"
max_over_subscription_ratio = 100000
`,
  );
  const args = ['serve', '--config', config, '--set'];
  const served = await answering((port) =>
    spawn(join(THIS_BUILD.root, 'bin', 'pumice'), [...args, `api.port=${port}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    }),
  );
  await new VolumeClient(served.address).serves();
  return served;
}

/**
 * From the kill of a process that has just accepted volumes, blank ones and clones, until all of them are there, by the other: the
 * longest of some, a round.
 */
async function takeovers(world: World, database: string, pool: Pool, survivor: Served): Promise<Row> {
  const client = new VolumeClient(survivor.address);
  const source = await client.create({ size: 1 });
  const { seconds } = await rounds(
    world.rounds,
    {
      seconds: async () => {
        const taken: number[] = [];
        for (let strike = 0; strike < STRIKES; strike += 1) {
          const victim = await pumiceOn(world, database, pool, 'two');
          const theirs = new VolumeClient(victim.address);
          const wanted = Array.from({ length: 10 }, (_, at) => (at % 2 === 0 ? { size: 1 } : { source_volid: source }));
          const ids = await Promise.all(wanted.map((volume) => theirs.begin(volume)));
          process.kill(victim.pid, 'SIGKILL');
          const killed = performance.now();
          await Promise.all(ids.map((id) => client.rests('volume', id)));
          taken.push((performance.now() - killed) / 1000);
        }
        return Math.max(...taken);
      },
    },
    world.tell,
  );
  return {
    figure: `from SIGKILL until another process has ended ten creates, longest of ${STRIKES}`,
    measured: quantity(seconds, 's'),
    wanted: { of: 'measured', atMost: 3 },
  };
}

function allMegabytes(pid: number): number {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  return children.reduce((sum, child) => sum + allMegabytes(child), residentMegabytes(pid));
}
