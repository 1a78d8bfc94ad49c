/**
 * How an image of the pool is reached: what Nova and os-brick are told, and whose client is whose when an attachment ends.
 *
 * A client finds the cluster by its monitors and proves itself with a key that its own machine has (libvirt's secret `secret_uuid`, or the
 * keyring of the user): none is ever in an answer. So nobody can be kept out by a secret of one attachment; what can be done is to fence
 * the RADOS client that has the image open, and exactly that one.
 */

import type { Json } from '../../lib/json.ts';
import type { ConnectionInfo, Connector } from '../../model/attachment.ts';
import type { ExportRef } from '../driver.ts';
import type { RbdAddress } from './helper-process.ts';

/** What the pool keeps of an export. */
export interface ExportNote {
  /** Name of the image. */
  readonly image: string;
  /** Of the client's machine, as its connector says it; null: it does not. */
  readonly ip: string | null;
  readonly host: string | null;
}

export const noteOf = (image: string, { ip, host }: Connector): ExportNote => ({
  image,
  ip: typeof ip === 'string' ? ip : null,
  host: typeof host === 'string' ? host : null,
});

/** Cinder's keys. `monitors`: `address:port`, IPv6 in brackets. */
export function connectionInfo(
  { volume, readOnly }: ExportRef,
  image: string,
  { cluster, user, pool }: RbdAddress,
  {
    monitors,
    secretUuid,
    discard,
  }: {
    readonly monitors: readonly string[];
    readonly secretUuid: string;
    readonly discard: boolean;
  },
): ConnectionInfo {
  const addresses = monitors.map((monitor) => /^\[?(.+?)\]?:(\d+)$/.exec(monitor) ?? ['', monitor, '6789']);
  const data: Record<string, Json> = {
    name: `${pool}/${image}`,
    hosts: addresses.map(([, host]) => host ?? ''),
    ports: addresses.map(([, , port]) => port ?? ''),
    cluster_name: cluster,
    auth_enabled: true,
    auth_username: user,
    secret_type: 'ceph',
    secret_uuid: secretUuid,
    volume_id: volume.id,
    discard,
    access_mode: readOnly ? 'ro' : 'rw',
  };
  return { driver_volume_type: 'rbd', data };
}

/** Whose the clients are that have an image open when an attachment ends. */
export type Clients = { readonly fence: readonly string[] } | { readonly unknown: readonly string[] };

/**
 * `watchers`: RADOS addresses (`IP:0/NONCE`) of who has the image open. `others`: the attachments of the volume that stay. Whoever may be one of
 * these is left alone; who can be nobody's is not guessed about.
 */
export function clientsOf(
  ended: ExportNote | null,
  others: readonly ExportNote[],
  watchers: readonly string[],
): Clients {
  const staying = new Map<string, number>();
  for (const { ip } of others) if (ip !== null) staying.set(ip, (staying.get(ip) ?? 0) + 1);
  const left = watchers.filter((watcher) => {
    const count = staying.get(ipOf(watcher)) ?? 0;
    if (count > 0) staying.set(ipOf(watcher), count - 1);
    return count === 0;
  });
  // Those of machines that do not say their address, or have another one to the storage.
  const untold = [...staying.values()].reduce(
    (sum, count) => sum + count,
    others.filter(({ ip }) => ip === null).length,
  );
  const own = left.filter((watcher) => ended !== null && ended.ip === ipOf(watcher));
  const unknown = left.filter((watcher) => !own.includes(watcher));
  if (own.length > 0 && (staying.get(ended?.ip ?? '') !== undefined || others.some(({ ip }) => ip === ended?.ip)))
    return { unknown: left };
  return unknown.length > untold ? { unknown } : { fence: own };
}

const ipOf = (watcher: string): string => /^\[?(.+?)\]?:\d+\/\d+$/.exec(watcher)?.[1] ?? watcher;
