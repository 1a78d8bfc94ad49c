/**
 * Absolute links: under the address that the client used, unless the configuration names a public one.
 * A link names the project only where the request's own path did.
 */
import type { ApiConfig } from '../lib/config/config.ts';

export interface Links {
  /** `http://host:port`, or the public endpoint. */
  readonly base: string;
  /** The base with the version and, where the request named it, the project: `http://host:port/v3/<project>`. */
  readonly prefix: string;
  /** The base with the project alone, for bookmarks. */
  readonly bookmark: string;
}

// A Host header is the client's own text; what does not look like one is in no link.
const HOST = /^[A-Za-z0-9._:[\]-]{1,255}$/;

export function baseOf(host: string | undefined, config: ApiConfig): string {
  if (config.public_endpoint !== undefined) return config.public_endpoint.replace(/\/+$/, '');
  return host !== undefined && HOST.test(host) ? `http://${host}` : `http://${config.host}:${config.port}`;
}

export function linksOf(base: string, projectId: string | undefined): Links {
  if (projectId === undefined) return { base, prefix: `${base}/v3`, bookmark: base };
  return { base, prefix: `${base}/v3/${projectId}`, bookmark: `${base}/${projectId}` };
}
