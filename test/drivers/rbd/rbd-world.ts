/**
 * Worlds for the proof of the RBD driver: an empty pool for each. To make a pool takes longer than to empty one, and to start a helper longer
 * than most operations, so both serve one world after another.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ObjectName, VolumeName } from '../../../src/drivers/driver.ts';
import { type RbdAddress, RbdFailed } from '../../../src/drivers/rbd/helper-process.ts';
import type { Rbd } from '../../../src/drivers/rbd/rbd.ts';
import { RbdClient } from '../../../src/drivers/rbd/rbd-client.ts';
import { RbdDriver } from '../../../src/drivers/rbd/rbd-driver.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { type Exec, exec } from '../../../src/lib/exec.ts';
import { type CephCluster, sharedCeph } from '../../ceph-cluster.ts';
import { calm, type DriverWorld } from '../driver-world.ts';
import type { Around } from '../faulty-exec.ts';
import { PoolBytes } from './pool-bytes.ts';

const { signal } = calm();
/** The process that is killed is known so. */
export const VICTIM = 'victim';

export async function makePool(ceph: CephCluster): Promise<string> {
  const name = `pool-${uuid()}`;
  await ceph.run('ceph', 'osd', 'pool', 'create', name, '1', '1', 'replicated');
  await ceph.run('ceph', 'osd', 'pool', 'application', 'enable', name, 'rbd');
  return name;
}

interface Pool {
  readonly address: RbdAddress;
  readonly client: RbdClient;
}

/** The pools of a suite, its helpers, and a client that reads and writes images. */
export class Pools {
  readonly #idle: Pool[] = [];
  readonly #all: Pool[] = [];
  #bytes: PoolBytes | undefined;

  async take(): Promise<Pool> {
    const ceph = await sharedCeph();
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const address = { conf: ceph.config, user: 'cinder', cluster: 'ceph', pool: await makePool(ceph) };
    const pool = { address, client: new RbdClient({ exec, address }) };
    this.#all.push(pool);
    return pool;
  }

  async give(pool: Pool): Promise<void> {
    const bytes = await this.bytes();
    await bytes.ask(pool.address.pool, 'wipe');
    this.#idle.push(pool);
  }

  async bytes(): Promise<PoolBytes> {
    this.#bytes ??= new PoolBytes(await sharedCeph());
    return this.#bytes;
  }

  async end(): Promise<void> {
    await Promise.all(this.#all.map(({ client }) => client.stop()));
  }
}

/** The helper of a pool for one driver, whose requests end badly now and then. */
class RequestsAround implements Rbd {
  readonly #client: Rbd;
  readonly #around: Around;
  readonly #pending = new Set<Promise<unknown>>();

  constructor(client: Rbd, around: Around) {
    this.#client = client;
    this.#around = around;
  }

  get isSilent() {
    return this.#client.isSilent;
  }

  start(signal: AbortSignal) {
    return this.#client.start(signal);
  }

  enter(who: string, signal: AbortSignal) {
    return this.#client.enter(who, signal);
  }

  ask: Rbd['ask'] = (order, call) =>
    this.#around(
      ['rbd', order.op],
      () => {
        const asked = this.#client.ask(order, call);
        this.#pending.add(asked);
        return asked.finally(() => this.#pending.delete(asked));
      },
      () => new RbdFailed('[errno 5] RADOS I/O error', 5, null),
    );

  async stop() {
    await Promise.allSettled(this.#pending);
  }
}

const nameOf = ({ id, nameId }: VolumeName): string => `volume-${nameId ?? id}`;

/** Image and snapshot. */
function placeOf(object: ObjectName): readonly [image: string, snapshot: string | null] {
  switch (object.kind) {
    case 'volume':
      return [nameOf(object), null];
    case 'snapshot':
      return [`volume-${object.volumeNameId ?? object.volumeId}`, `snapshot-${object.id}`];
    case 'image':
      return [`cached-image-${object.id}`, null];
    case 'backup':
      return [`backup-${object.id}`, null];
  }
}

/** As which the driver of a world is known in its pool. */
export const WORLD = 'prover';

export function driverOn(address: RbdAddress, rbd: Rbd, directory: string, run: Exec, who = WORLD): RbdDriver {
  return new RbdDriver({ name: 'ceph', address, rbd, exec: run, daemons: exec, directory, who });
}

export async function rbdWorld(
  pools: Pools,
  run: Exec,
  around: Around,
): Promise<DriverWorld & { driver: RbdDriver; pool: string }> {
  const pool = await pools.take();
  const bytes = await pools.bytes();
  const { address, client } = pool;
  const directory = await mkdtemp(join(tmpdir(), 'pumice-rbd-'));
  const rbd = new RequestsAround(client, around);
  const driver = driverOn(address, rbd, directory, run);
  await driver.start(signal);
  await driver.hold(signal);
  const ask = <Result>(op: string, ...args: readonly unknown[]): Promise<Result> =>
    bytes.ask(address.pool, op, ...args);
  /** As whoever opens a volume has it: a change of its content that was cut short is finished, or taken back. */
  const settled = async (name: string): Promise<void> => {
    const order = { op: 'settle', args: { name }, about: [name] };
    await client.ask(order, { signal }).catch((error: unknown) => {
      if (!(error instanceof RbdFailed && error.what === 'missing')) throw error;
    });
  };
  const read = async (image: string, snapshot: string | null, at: number, length: number): Promise<Buffer> => {
    if (snapshot === null && image.startsWith('volume-')) await settled(image);
    return Buffer.from(await ask<string>('read', image, snapshot, at, length), 'base64');
  };
  const write = (image: string, at: number, data: Buffer): Promise<void> =>
    ask('write', image, at, data.toString('base64'));
  const foreignSnapshots = new Map<string, string>();
  return {
    driver,
    pool: address.pool,
    write: (volume, at, data) => write(nameOf(volume), at, data),
    read: (object, at, length) => read(...placeOf(object), at, length),
    foreign: async (name, size, data) => {
      await ask('create', name, size);
      await write(name, 0, data);
      return { 'source-name': name };
    },
    foreignSnapshot: async (volume, name, size, data) => {
      await ask('create', nameOf(volume), size);
      await write(nameOf(volume), 0, data);
      await ask('snapshot', nameOf(volume), name);
      foreignSnapshots.set(name, nameOf(volume));
      return { 'source-name': name };
    },
    readForeign: (ref, length) => {
      const name = ref['source-name'] ?? '';
      const image = foreignSnapshots.get(name);
      return image === undefined ? read(name, null, 0, length) : read(image, name, 0, length);
    },
    leftovers: () => ask('leftovers'),
    backing: async (volume) => {
      const path = join(directory, 'exported');
      await ask('exported', nameOf(volume), path);
      const file = await open(path, 'r');
      await rm(path);
      return file;
    },
    client: () => assert.fail('clients are tried elsewhere'),
    restarted: () => assert.fail('nothing serves the pool'),
    elsewhere: (request) => {
      const args = [join(import.meta.dirname, 'rbd-driver-process.ts'), JSON.stringify(address), directory];
      return spawn(process.execPath, [...args, JSON.stringify(request)], { stdio: ['ignore', 'pipe', 'inherit'] });
    },
    succeed: async () => {
      await client.ask({ op: 'expel', args: { who: VICTIM } }, { signal });
    },
    inOneStep: ([method]) => method === 'createSnapshot',
    cleanup: async () => {
      await rbd.stop();
      driver.release();
      await driver.closed();
      await pools.give(pool);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
