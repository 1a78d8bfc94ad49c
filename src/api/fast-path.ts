/**
 * The fast path of a request: an answer from the response cache, sent as soon as the headers are read, before Fastify makes
 * anything of the request, which costs as much again as all the rest.
 *
 * It asks the same of everyone as the slow path (`server.ts`: `receive`): the caller, the version, the rate limit. A request that
 * is not plainly well takes the slow path, which has the words for it; so nothing is refused here.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { uuid } from '../lib/clock.ts';
import type { Log } from '../lib/logging.ts';
import type { Authenticate } from './caller.ts';
import { JSON_TYPE } from './exchange.ts';
import { type Microversion, requestedVersion, versionText } from './microversion.ts';
import type { RateLimit } from './rate-limit.ts';
import type { ResponseCache } from './response-cache.ts';

export interface FastPathDeps {
  readonly answers: ResponseCache;
  readonly admit: Authenticate;
  readonly rate: RateLimit | undefined;
  readonly log: Log;
}

/** Bytes. Up to here an answer is sent as text, in one piece with its headers; more is not copied for that. */
const SMALL = 16_384;

export const newRequestId = (): string => `req-${uuid()}`;

/** False when the request has to take the slow path; nothing has happened to it then. */
export function fastPath(deps: FastPathDeps): (request: IncomingMessage, response: ServerResponse) => boolean {
  const { answers, log } = deps;
  return (request, response) => {
    const { method, url = '', headers } = request;
    if (method !== 'GET' || 'content-length' in headers || 'transfer-encoding' in headers) return false;
    const mark = answers.markOf(url);
    if (mark === undefined || log.isLevelEnabled('debug')) return false;
    const id = newRequestId();
    const found = answered(deps, { method, url, headers, mark, id });
    if (found === undefined) return false;
    response.writeHead(200, [
      'x-compute-request-id',
      id,
      'x-openstack-request-id',
      id,
      'openstack-api-version',
      `volume ${versionText(found.version)}`,
      'vary',
      'OpenStack-API-Version',
      'content-type',
      JSON_TYPE,
      'content-length',
      String(found.answer.length),
    ]);
    if (found.answer.length <= SMALL) response.end(found.answer.toString('latin1'), 'latin1');
    else response.end(found.answer);
    return true;
  };
}

interface Asked extends Pick<IncomingMessage, 'headers' | 'method'> {
  readonly url: string;
  readonly mark: number;
  readonly id: string;
}

function answered(
  { answers, admit, rate }: FastPathDeps,
  { method, url, headers, mark, id }: Asked,
): { readonly version: Microversion; readonly answer: Buffer } | undefined {
  try {
    const caller = admit(headers, id, { method, url });
    if (caller instanceof Promise) {
      // The slow path asks again.
      caller.catch(() => {});
      return undefined;
    }
    if (caller === undefined) return undefined;
    const version = requestedVersion(headers['openstack-api-version'] as string | undefined);
    const answer = answers.find(url, { caller, version, host: headers.host }, mark);
    if (answer === undefined) return undefined;
    rate?.take(caller.projectId);
    return { version, answer };
  } catch {
    return undefined;
  }
}
