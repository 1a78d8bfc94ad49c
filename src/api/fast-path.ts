/**
 * The fast path of a request: an answer from the response cache, sent as soon as the headers are read, before Fastify makes
 * anything of the request, which costs as much again as all the rest.
 *
 * Whoever is answered here was admitted as on the slow path (`admission.ts`). A request that is not plainly well takes the slow
 * path, which has the words for it; so nothing is refused here.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestAdmission } from './admission.ts';
import { JSON_TYPE } from './exchange.ts';
import { versionText } from './microversion.ts';
import type { ResponseCache } from './response-cache.ts';

export interface FastPathDeps {
  readonly answers: ResponseCache;
  readonly admission: RequestAdmission;
}

/** Bytes. Up to here an answer is sent as text, in one piece with its headers; more is not copied for that. */
const SMALL = 16_384;

/** False when the request has to take the slow path, which finds its visit where it has begun. */
export function fastPath({
  answers,
  admission,
}: FastPathDeps): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const { method, url = '', headers } = request;
    if (method !== 'GET' || 'content-length' in headers || 'transfer-encoding' in headers) return false;
    const mark = answers.markOf(url);
    if (mark === undefined) return false;
    const visit = admission.begin(request, response);
    const admitted = visit.admitted();
    const isPlain = admitted !== null && !(admitted instanceof Promise);
    const answer = isPlain ? answers.find(url, { ...admitted, host: headers.host }, mark) : undefined;
    if (!isPlain || answer === undefined) {
      admission.handOver(request, visit);
      return false;
    }
    response.writeHead(200, [
      'x-compute-request-id',
      visit.id,
      'x-openstack-request-id',
      visit.id,
      'openstack-api-version',
      `volume ${versionText(admitted.version)}`,
      'vary',
      'OpenStack-API-Version',
      'content-type',
      JSON_TYPE,
      'content-length',
      String(answer.length),
    ]);
    if (answer.length <= SMALL) response.end(answer.toString('latin1'), 'latin1');
    else response.end(answer);
    return true;
  };
}
