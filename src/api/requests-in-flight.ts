/** The requests in flight, for the last words of a process that dies. Never a header, a query or a body. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface RequestInFlight {
  readonly request_id: string;
  readonly method: string;
  readonly path: string;
}

const LONGEST_PATH = 256;

export class RequestsInFlight {
  readonly #requests = new Map<IncomingMessage, string>();
  /** The same for all of them, who are many. */
  readonly #forget: (this: ServerResponse) => void;

  constructor() {
    const requests = this.#requests;
    this.#forget = function () {
      requests.delete(this.req);
    };
  }

  /** Until it is answered, or its connection is gone. */
  add(id: string, request: IncomingMessage, response: ServerResponse): void {
    this.#requests.set(request, id);
    response.on('close', this.#forget);
  }

  get size(): number {
    return this.#requests.size;
  }

  list(): readonly RequestInFlight[] {
    return [...this.#requests].map(([{ method = '', url = '' }, id]) => {
      const [path = ''] = url.split('?', 1);
      return { request_id: id, method, path: path.slice(0, LONGEST_PATH) };
    });
  }
}
