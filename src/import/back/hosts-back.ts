/** Which of Cinder's hosts one of ours is, and which of its services serves it. */
import type { CinderDatabase } from '../cinder/cinder-database.ts';
import type { MapWorld } from '../map/map-world.ts';

export interface HostsBack {
  /** `HOST@BACKEND#POOL` of Cinder's; undefined: no map names it. */
  placeOf(host: string): string | undefined;
  /** Many serve it, and its rows say so. */
  isCluster(place: string): boolean;
  /** Uuid of its service; null where none lives. */
  serviceOf(place: string): string | null;
}

export async function hostsBack(cinder: CinderDatabase, { settings: { hosts } }: MapWorld): Promise<HostsBack> {
  const back = new Map([...hosts].toReversed().map(([from, to]) => [to, from]));
  const [services, clusters] = [new Map<string, string>(), new Set<string>()];
  for await (const rows of cinder.living('services'))
    for (const { host, binary, uuid, cluster_name } of rows) {
      if (binary !== 'cinder-volume' || uuid === null) continue;
      if (host !== null) services.set(host, uuid);
      if (cluster_name === null) continue;
      clusters.add(cluster_name);
      services.set(cluster_name, uuid);
    }
  return {
    placeOf(host) {
      const whole = back.get(host);
      const [name = '', pool] = host.split('#');
      const mapped = whole ?? back.get(name);
      return mapped === undefined || whole !== undefined || pool === undefined ? mapped : `${mapped}#${pool}`;
    },
    isCluster: (place) => clusters.has(hostPart(place)),
    serviceOf: (place) => services.get(hostPart(place)) ?? null,
  };
}

const hostPart = (place: string): string => place.split('#')[0] ?? place;
