/**
 * The fast path of a request: an answer from the response cache, sent as soon as the headers are read, before Fastify makes
 * anything of the request, which costs as much again as all the rest.
 *
 * Whoever is answered here was admitted as on the slow path (`admission.ts`). A request that is not plainly well takes the slow
 * path, which has the words for it; so nothing is refused here.
 */
import type { RequestListener, ServerResponse } from 'node:http';
import type { RequestAdmission } from './admission.ts';
import { JSON_TYPE } from './exchange.ts';
import { type Microversion, versionText } from './microversion.ts';
import { type KeptAnswer, type Mark, type ResponseCache, SMALL } from './response-cache.ts';

export interface FastPathDeps {
  readonly answers: ResponseCache;
  readonly admission: RequestAdmission;
}

/** `slow` gets the others, and finds the visit of a request where it has begun. */
export function fastPath({ answers, admission }: FastPathDeps, slow: RequestListener): RequestListener {
  return (request, response) => {
    const { method, url = '', headers } = request;
    const isPlain = method === 'GET' && !('content-length' in headers || 'transfer-encoding' in headers);
    const mark = isPlain ? answers.markOf(url) : undefined;
    if (mark === undefined) return slow(request, response);
    const visit = admission.begin(request, response);
    visit.mark = mark;
    const handOver = (): void => {
      admission.handOver(request, visit);
      slow(request, response);
    };
    const admitted = visit.admitted();
    if (admitted === null || admitted instanceof Promise) return handOver();
    const answerUnder = (mark: Mark): void => {
      const answer = answers.find(url, { ...admitted, host: headers.host }, mark);
      if (answer === undefined) {
        handOver();
        return;
      }
      answers.counts.fast += 1;
      visit.meter = answers.meterOf(url);
      sendAnswer(response, visit.id, admitted.version, answer);
    };
    if (mark instanceof Promise) mark.then(answerUnder, handOver);
    else answerUnder(mark);
  };
}

function sendAnswer(response: ServerResponse, id: string, version: Microversion, answer: KeptAnswer): void {
  response.writeHead(200, [
    'x-compute-request-id',
    id,
    'x-openstack-request-id',
    id,
    'openstack-api-version',
    `volume ${versionText(version)}`,
    'vary',
    'OpenStack-API-Version',
    'content-type',
    JSON_TYPE,
    'content-length',
    String(answer.bytes.length),
  ]);
  if (answer.bytes.length > SMALL) response.end(answer.bytes);
  else {
    answer.text ??= answer.bytes.toString('latin1');
    response.end(answer.text, 'latin1');
  }
}
