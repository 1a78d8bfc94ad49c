/**
 * What a volume on Ceph costs: what clients of a service wait for, beside Debian's Cinder where it is installed (`rbd-services.ts`);
 * the driver, whose helper keeps its connection, beside the `rbd` command, which makes one for each operation; and an image of 2 GiB
 * beside the usual way, converted into a raw file and imported. On a cluster in memory with one OSD, whose monitors take 0.05 s for a
 * round, in one run.
 */
import { execFile, execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { RbdClient } from '../src/drivers/rbd/rbd-client.ts';
import { RbdDriver } from '../src/drivers/rbd/rbd-driver.ts';
import { elapsed, uuid } from '../src/lib/clock.ts';
import { exec } from '../src/lib/exec.ts';
import { type CephCluster, noRbd, sharedCeph } from '../test/ceph-cluster.ts';
import { calm } from '../test/drivers/driver-world.ts';
import { makePool } from '../test/drivers/rbd/rbd-world.ts';
import { serveImage } from './image-server.ts';
import type { Part } from './part.ts';
import { servicesOn } from './rbd-services.ts';
import { quantity, type Result, type Row, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import { newDirectory, type World } from './world.ts';

const run = promisify(execFile);
const OPERATIONS = ['create', 'snapshot', 'clone', 'extend', 'delete'] as const;
type Times = Record<(typeof OPERATIONS)[number] | 'at ten', number>;
const EACH = 10;
const IMAGES = 1_000;
const MOST_STATS_MS = 50;

export const rbd: Part = {
  limit:
    "The cluster's own journeys: what librbd itself takes by a program that keeps its connection, looks at nothing and knows nothing " +
    '(`bare-rbd.py`). A snapshot waits for a round of the monitors, 0.05 s here and a second by default, whoever asks for it, and a delete for the ' +
    'hidden snapshot that a clone of a volume leaves.',
  measure: measureRbd,
};

async function measureRbd(world: World): Promise<Result[]> {
  if (noRbd) return [{ figure: 'a volume on Ceph', skipped: noRbd }];
  const ceph = await sharedCeph();
  const pool = await makePool(ceph);
  const address = { conf: ceph.config, user: 'cinder', cluster: 'ceph', pool };
  const client = new RbdClient({ exec, address });
  const directory = newDirectory(world);
  const driver = new RbdDriver({
    name: 'ceph',
    address,
    rbd: client,
    exec,
    directory: join(directory, 'files'),
    who: uuid(),
  });
  try {
    await driver.start(calm().signal);
    const each = Math.max(3, Math.ceil(EACH / world.haste));
    const { ours, command } = await rounds(
      world.rounds,
      { ours: () => byDriver(driver, each), command: () => byCommand(ceph, pool, each) },
      world.tell,
    );
    const operations = OPERATIONS.map(
      (name): Row => ({
        figure: `${name} on RBD, median of ${each}`,
        measured: quantity(
          ours.map((times) => times[name]),
          'ms',
        ),
        beside: {
          what: '`rbd`',
          quantity: quantity(
            command.map((times) => times[name]),
            'ms',
          ),
        },
        ratio: ratios(
          ours.map((times) => times[name]),
          command.map((times) => times[name]),
        ),
      }),
    );
    const [atTen, theirs] = [ours.map((times) => times['at ten']), command.map((times) => times['at ten'])];
    const tens: Row = {
      figure: 'creates on RBD, ten at once',
      measured: quantity(atTen, '/s'),
      beside: { what: '`rbd`', quantity: quantity(theirs, '/s') },
      ratio: ratios(atTen, theirs),
    };
    const image = await makeImage(world, directory);
    const images = await serveImage(image.qcow2, 'qcow2');
    const emptyPool = async () => ({ ceph, name: await makePool(ceph), images: images.url });
    const services = await servicesOn(world, emptyPool).finally(() => images.stop());
    return [
      ...services,
      ...operations,
      tens,
      await imageOn(world, { ceph, pool, driver, image }),
      await statsOf(world, driver, client),
    ];
  } finally {
    driver.release();
    await driver.closed();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function byDriver(driver: RbdDriver, each: number): Promise<Times> {
  const times = await timesOf(each, (id, clone) => {
    const [volume, snapshot] = [
      { id, sizeGiB: 1 },
      { id, volumeId: id, sizeGiB: 1 },
    ];
    return {
      create: () => driver.createVolume(volume, calm()),
      snapshot: () => driver.createSnapshot(snapshot, calm()),
      clone: () => driver.createVolumeFromSnapshot({ id: clone, sizeGiB: 1 }, snapshot, calm()),
      extend: () => driver.extendVolume({ id: clone, sizeGiB: 1 }, 2, calm()),
      delete: () => driver.deleteVolume({ id: clone, sizeGiB: 2 }, calm()),
    };
  });
  return { ...times, 'at ten': await rateOf(each, () => driver.createVolume({ id: uuid(), sizeGiB: 1 }, calm())) };
}

async function byCommand(ceph: CephCluster, pool: string, each: number): Promise<Times> {
  const rbd = (...args: readonly string[]) => run('rbd', ['-c', ceph.config, '--id', 'cinder', '-p', pool, ...args]);
  const times = await timesOf(each, (id, clone) => ({
    create: () => rbd('create', '--size', '1G', id),
    snapshot: () => rbd('snap', 'create', '--no-progress', `${id}@s`),
    clone: () => rbd('clone', '--rbd-default-clone-format', '2', `${pool}/${id}@s`, `${pool}/${clone}`),
    extend: () => rbd('resize', '--no-progress', '--size', '2G', clone),
    delete: () => rbd('rm', '--no-progress', clone),
  }));
  return { ...times, 'at ten': await rateOf(each, () => rbd('create', '--size', '1G', uuid())) };
}

type Work = Readonly<Record<(typeof OPERATIONS)[number], () => Promise<unknown>>>;

/** Medians, milliseconds. */
async function timesOf(each: number, workOn: (id: string, clone: string) => Work): Promise<Omit<Times, 'at ten'>> {
  const all = new Map<string, number[]>();
  for (let at = 0; at < each; at += 1) {
    const work = workOn(uuid(), uuid());
    for (const name of OPERATIONS) {
      const begun = elapsed();
      await work[name]();
      all.set(name, [...(all.get(name) ?? []), elapsed() - begun]);
    }
  }
  const medians = OPERATIONS.map((name) => [
    name,
    (all.get(name) ?? []).toSorted((a, b) => a - b)[Math.floor(each / 2)],
  ]);
  return Object.fromEntries(medians);
}

/** A second. */
async function rateOf(each: number, work: () => Promise<unknown>): Promise<number> {
  let left = each * 2;
  const begun = elapsed();
  const one = async (): Promise<void> => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: 10 }, one));
  return (each * 2 * 1000) / (elapsed() - begun);
}

interface MadeImage {
  readonly raw: string;
  readonly qcow2: string;
  readonly mib: number;
}

async function makeImage(world: World, directory: string): Promise<MadeImage> {
  const [raw, qcow2] = [join(directory, 'image.raw'), join(directory, 'image.qcow2')];
  const mib = Math.max(64, Math.ceil(512 / world.haste));
  execFileSync('truncate', ['-s', '2G', raw]);
  const pieces = Array.from({ length: mib }, (_, at) => `write -P ${1 + (at % 250)} ${at * 4}M 1M`);
  execFileSync('qemu-io', ['-f', 'raw', raw], {
    input: pieces.slice(0, 512).join('\n'),
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2]);
  return { raw, qcow2, mib };
}

interface Site {
  readonly ceph: CephCluster;
  readonly pool: string;
  readonly driver: RbdDriver;
  readonly image: MadeImage;
}

async function imageOn(world: World, { ceph, pool, driver, image }: Site): Promise<Row> {
  const { raw, qcow2, mib } = image;
  const { ours, usual } = await rounds(
    world.rounds,
    {
      ours: async () => {
        const volume = { id: uuid(), sizeGiB: 2 };
        const begun = elapsed();
        await driver.createVolume(volume, calm());
        await driver.copyImageToVolume(volume, { path: qcow2, format: 'qcow2' }, calm());
        const tookMs = elapsed() - begun;
        await driver.deleteVolume(volume, calm());
        return tookMs / 1000;
      },
      usual: async () => {
        const name = uuid();
        const rbd = (...args: readonly string[]) =>
          run('rbd', ['-c', ceph.config, '--id', 'cinder', '-p', pool, ...args]);
        const begun = elapsed();
        await run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', qcow2, `${raw}.2`]);
        await rbd('import', '--no-progress', `${raw}.2`, name);
        const tookMs = elapsed() - begun;
        rmSync(`${raw}.2`);
        await rbd('rm', '--no-progress', name);
        return tookMs / 1000;
      },
    },
    world.tell,
  );
  return {
    figure: `an image of 2 GiB with ${mib} MiB of data into a volume on RBD`,
    measured: quantity(ours, 's'),
    beside: { what: 'a raw file, imported', quantity: quantity(usual, 's') },
    ratio: ratios(ours, usual),
  };
}

async function statsOf(world: World, driver: RbdDriver, client: RbdClient): Promise<Row> {
  const { signal } = calm();
  const create = (at: number) =>
    client.ask({ op: 'create', args: { name: `other-${at}`, size: 1024 ** 3 } }, { signal });
  await Promise.all(Array.from({ length: IMAGES }, (_, at) => create(at)));
  const { took } = await rounds(
    world.rounds,
    {
      took: async () => {
        const begun = elapsed();
        await driver.stats(signal);
        return elapsed() - begun;
      },
    },
    world.tell,
  );
  const wanted = { of: 'measured', atMost: MOST_STATS_MS } as const;
  return { figure: `statistics of a pool of ${IMAGES} images and more`, measured: quantity(took, 'ms'), wanted };
}
