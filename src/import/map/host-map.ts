/**
 * The host map: which of Cinder's hosts is which here. A host is `HOST@BACKEND`, and the pool behind `#` goes along; HOST may be what a
 * section says of itself (`backend_host`), as `rbd:volumes`.
 */

/** `FROM` → `TO`: both `HOST@BACKEND`, or both with a pool. */
export type HostMap = ReadonlyMap<string, string>;

/** Where a row's host is here; undefined: no map names it. A pool's own entry is stronger than its host's. */
export function mappedHost(hosts: HostMap, host: string): string | undefined {
  const whole = hosts.get(host);
  if (whole !== undefined) return whole;
  const hash = host.indexOf('#');
  if (hash < 0) return undefined;
  const mapped = hosts.get(host.slice(0, hash));
  return mapped === undefined || mapped.includes('#') ? mapped : mapped + host.slice(hash);
}

/** What a row is found by: where many serve a backend its cluster counts, and its host is whoever was at it last. */
export const placeOfRow = ({
  host,
  cluster_name,
}: {
  readonly host: string | null;
  readonly cluster_name: string | null;
}): string | null => cluster_name ?? host;
