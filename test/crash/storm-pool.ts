/**
 * The Ceph pool of a storm, with its cluster and the machines whose processes serve it: each machine has a network to the storage and one to the
 * database, and may be cut off from either.
 *
 * A snapshot is a part of its image: here it lies beside it under its own name, as on backends of files.
 */
import type { CephCluster } from '../ceph-cluster.ts';
import { cephForVolumes } from '../ceph-cluster.ts';
import { PoolBytes } from '../drivers/rbd/pool-bytes.ts';
import { makePool } from '../drivers/rbd/rbd-world.ts';
import type { Lying } from './backends.ts';
import { blocksOf, faultOfBytes } from './content.ts';
import { makeNetwork, type Network } from './machines.ts';

interface Everything {
  readonly images: readonly {
    readonly name: string;
    readonly bytes: number;
    readonly snapshots: readonly { readonly name: string; readonly bytes: number }[];
  }[];
  /** Keys of what the pool notes. */
  readonly notes: readonly string[];
}

export const STORAGE = 'storage';
export const DATABASE = 'database';

export class StormPool {
  readonly name: string;
  readonly ceph: CephCluster;
  readonly network: Network;
  readonly #bytes: PoolBytes;

  /** A machine for each name, with a directory of that name below this one. */
  static async make(directory: string, machines: readonly string[]): Promise<StormPool> {
    const network = makeNetwork(directory, machines, [STORAGE, DATABASE]);
    let ceph: CephCluster | undefined;
    try {
      ceph = await cephForVolumes({ address: network.gate(STORAGE) });
      return new StormPool(network, ceph, await makePool(ceph));
    } catch (error) {
      await ceph?.remove();
      network.remove();
      throw error;
    }
  }

  private constructor(network: Network, ceph: CephCluster, name: string) {
    this.network = network;
    this.ceph = ceph;
    this.name = name;
    this.#bytes = new PoolBytes(ceph);
  }

  async lying(backend: string): Promise<Lying[]> {
    const { images, notes } = await this.#ask<Everything>('everything');
    const found: Lying[] = [];
    const add = (name: string, bytes: number, image: string, snapshot: string | null): void => {
      const read = async (at: number, length: number): Promise<Buffer> =>
        Buffer.from(await this.#ask<string>('read', image, snapshot, at, length), 'base64');
      found.push({ backend, name, bytes, faultOf: (content) => faultOfBytes(read, content) });
    };
    for (const { name: image, bytes, snapshots } of images) {
      add(image, bytes, image, null);
      for (const { name, bytes: size } of snapshots) {
        // A volume of a cached image is a clone of this.
        if (name === 'base' && image.startsWith('cached-image-')) continue;
        add(/^(snapshot|backup)-/.test(name) ? name : `${image}@${name}`, size, image, name);
      }
    }
    for (const key of notes) {
      const [, kind, name = ''] = /^(export|unmanaged):(.*)$/.exec(key) ?? [];
      if (kind !== undefined) add(`.${kind}-${name}`, 0, name, null);
    }
    return found;
  }

  /** What is half made, or waits in the trash for nothing. */
  left(): Promise<string[]> {
    return this.#ask('left');
  }

  /** An image that is not there yet. */
  async lay(name: string, content: string, bytes: number): Promise<void> {
    await this.#ask('create', name, bytes);
    for (const [at, data] of blocksOf(content)) await this.#ask('write', name, at, data.toString('base64'));
  }

  async remove(): Promise<void> {
    await this.ceph.remove();
    this.network.remove();
  }

  #ask<Result>(op: string, ...args: readonly unknown[]): Promise<Result> {
    return this.#bytes.ask<Result>(this.name, op, ...args);
  }
}
