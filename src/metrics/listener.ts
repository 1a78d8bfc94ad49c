/**
 * The door for those who scrape: an address and a port of its own, so that no proxy in front of the API lets the world in, and a
 * scrape is answered when the API has as many connections as it takes.
 *
 * It is for this machine alone, unless there is a token: then `Authorization: Bearer TOKEN` must come with each request, and is compared
 * in constant time.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { http } from '../http/node-http.ts';
import { TEXT_TYPE } from './text.ts';

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  /** Undefined: nobody is asked for one. */
  readonly token: string | undefined;
  /** By path. Whatever rejects is told by `failed`, and answered 500. */
  readonly texts: ReadonlyMap<string, () => Promise<string>>;
  failed(error: unknown): void;
}

export interface MetricsListener {
  /** `http://127.0.0.1:9776` */
  readonly address: string;
  close(): Promise<void>;
}

/** Whoever scrapes is few; more are closed as they come. */
const MOST_CONNECTIONS = 64;
/** For a request to be sent, and for a connection that says nothing more. */
const PATIENCE_MS = 10_000;
const IDLE_MS = 120_000;

/** Rejects when it cannot listen there. */
export async function listenForScrapes(options: ListenerOptions): Promise<MetricsListener> {
  const server = http.createServer(
    { requestTimeout: PATIENCE_MS, headersTimeout: PATIENCE_MS, keepAliveTimeout: IDLE_MS },
    (request, response) => void answer(request, response, options),
  );
  server.maxConnections = MOST_CONNECTIONS;
  await listening(server, options);
  const { address, port, family } = server.address() as { address: string; port: number; family: string };
  return {
    address: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

const listening = (server: Server, { host, port }: ListenerOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject).listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });

async function answer(request: IncomingMessage, response: ServerResponse, options: ListenerOptions): Promise<void> {
  const [path = ''] = (request.url ?? '').split('?', 1);
  const text = options.texts.get(path);
  if (options.token !== undefined && !isRight(request.headers.authorization, options.token))
    return refuse(response.setHeader('www-authenticate', 'Bearer'), 401, 'A token is needed.');
  if (text === undefined) return refuse(response, 404, `There is: ${[...options.texts.keys()].join(', ')}.`);
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return refuse(response.setHeader('allow', 'GET, HEAD'), 405, 'Metrics are only read.');
  try {
    const body = Buffer.from(await text());
    response.writeHead(200, { 'content-type': TEXT_TYPE, 'content-length': body.length });
    response.end(request.method === 'HEAD' ? undefined : body);
  } catch (error) {
    options.failed(error);
    refuse(response, 500, 'The metrics could not be told; the log says why.');
  }
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${why}\n`);
}

/** Compared by digests, which are of one length and tell nothing by the time it takes. */
function isRight(header: string | undefined, token: string): boolean {
  const [, given] = /^Bearer +(\S+) *$/i.exec(header ?? '') ?? [];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
