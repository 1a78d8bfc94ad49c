/**
 * What the backends of this configuration hold, against the names that Cinder's rows have there. Each is listed once, after the moment of the
 * database that is read: what Cinder makes meanwhile is in no row, what it deletes meanwhile may be missed once. Nothing is changed.
 */
import type { BackendObject, VolumeDriver } from '../../drivers/driver.ts';
import { hostOf } from '../../model/backend.ts';
import { type HostMap, mappedHost } from '../map/host-map.ts';
import type { BackendNames, ImportedPlace } from '../map/mapped-batch.ts';
import type { OnBackend } from '../map/volumes.ts';
import type { BackendLook } from './check-report.ts';

/** A backend of this configuration; or why it cannot be used. */
export interface ConfiguredBackend {
  readonly host: string;
  readonly driver: VolumeDriver | Error;
}

interface Listed {
  readonly host: string;
  readonly failure: string | null;
  readonly pools: readonly string[];
  /** By `volume:ID`, `snapshot:ID`; whatever a row was found for is marked. */
  readonly objects: Map<string, ListedObject>;
}

interface ListedObject extends Pick<BackendObject, 'name' | 'bytes' | 'unservable'> {
  isKnown: boolean;
}

export class ListedBackends implements BackendNames {
  readonly #hosts: HostMap;
  readonly #listed: ReadonlyMap<string, Listed>;

  static async list(
    backends: readonly ConfiguredBackend[],
    hosts: HostMap,
    signal: AbortSignal,
  ): Promise<ListedBackends> {
    const listed: Listed[] = [];
    for (const { host, driver } of backends) listed.push(await look(host, driver, signal));
    return new ListedBackends(hosts, new Map(listed.map((each) => [each.host, each])));
  }

  private constructor(hosts: HostMap, listed: ReadonlyMap<string, Listed>) {
    this.#hosts = hosts;
    this.#listed = listed;
  }

  volume({ place, nameId }: ImportedPlace): OnBackend {
    return this.#find(place, `volume:${nameId}`);
  }

  snapshot({ place }: ImportedPlace, snapshotId: string): OnBackend {
    return this.#find(place, `snapshot:${snapshotId}`);
  }

  looks(): readonly BackendLook[] {
    return [...this.#listed.values()].map(({ host, failure, pools, objects }) => {
      const all = [...objects.values()];
      const others = all.filter(({ isKnown }) => !isKnown);
      // What it cannot serve may be another backend's.
      const unknown = others.filter(({ unservable }) => unservable === undefined);
      return {
        host,
        failure,
        pools,
        known: all.length - others.length,
        unknown: unknown.map(({ name, bytes }) => ({ name, bytes })),
      };
    });
  }

  #find(place: string | null, name: string): OnBackend {
    const host = place === null ? undefined : mappedHost(this.#hosts, place);
    const listed = host === undefined ? undefined : this.#listed.get(hostOf(host));
    if (listed === undefined || listed.failure !== null) return undefined;
    const object = listed.objects.get(name);
    if (object === undefined) return 'absent';
    object.isKnown = true;
    const { bytes, unservable } = object;
    return { bytes, ...(unservable !== undefined && { unservable }) };
  }
}

async function look(host: string, driver: VolumeDriver | Error, signal: AbortSignal): Promise<Listed> {
  if (driver instanceof Error) return { host, failure: driver.message, pools: [], objects: new Map() };
  try {
    const objects = (await driver.list(signal)).flatMap((object) => named(object));
    const pools = (await driver.stats(signal)).map(({ pool_name }) => pool_name);
    return { host, failure: null, pools, objects: new Map(objects) };
  } catch (error) {
    signal.throwIfAborted();
    return { host, failure: error instanceof Error ? error.message : String(error), pools: [], objects: new Map() };
  }
}

const named = ({ name, bytes, owner, unservable }: BackendObject) =>
  owner === null || (owner.kind !== 'volume' && owner.kind !== 'snapshot')
    ? []
    : [
        [
          `${owner.kind}:${owner.id}`,
          { name, bytes, isKnown: false, ...(unservable !== undefined && { unservable }) },
        ] as const,
      ];
