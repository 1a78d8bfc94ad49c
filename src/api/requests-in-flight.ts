/** The requests in flight, for the last words of a process that dies. Never a header, a query or a body. */
import type { FastifyReply, FastifyRequest } from 'fastify';

export interface RequestInFlight {
  readonly request_id: string;
  readonly method: string;
  readonly path: string;
}

const LONGEST_PATH = 256;

export class RequestsInFlight {
  readonly #requests = new Set<FastifyRequest>();

  /** Until it is answered, or its connection is gone. */
  add(request: FastifyRequest, reply: FastifyReply): void {
    this.#requests.add(request);
    reply.raw.once('close', () => this.#requests.delete(request));
  }

  list(): readonly RequestInFlight[] {
    return [...this.#requests].map(({ id, method, url }) => {
      const [path = ''] = url.split('?', 1);
      return { request_id: id, method, path: path.slice(0, LONGEST_PATH) };
    });
  }
}
