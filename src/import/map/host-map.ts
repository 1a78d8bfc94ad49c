/**
 * The host map: which of Cinder's hosts is which here. A host is `HOST@BACKEND`; the pool behind `#` goes along. HOST may hold
 * what a name of a node may not, as `rbd:volumes` (`backend_host`), and then its name is kept where a section here has the same.
 */

/** `FROM` → `TO`, both `HOST@BACKEND` or with a pool. */
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
