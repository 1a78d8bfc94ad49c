/** An image service for tests, which misbehaves on demand: each request is answered by the next behaviour, then well. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { uuid } from '../../src/lib/clock.ts';
import { httpServer } from './http-server.ts';

export type Behaviour = (request: IncomingMessage, response: ServerResponse, server: ImageServer) => void;

export interface ImageServer {
  readonly url: string;
  readonly id: string;
  readonly data: Buffer;
  /** What it says of the image; change it to let it lie. */
  readonly metadata: Record<string, unknown>;
  /** Used up one a request. */
  readonly next: Behaviour[];
  /** For a download to tell how far it is. */
  progress(fraction: number): void;
  readonly requests: { readonly path: string; readonly headers: IncomingMessage['headers'] }[];
}

export async function imageServer(t: TestContext, bytes = 300_000): Promise<ImageServer> {
  const data = Buffer.alloc(bytes);
  for (let n = 0; n < bytes; n += 1) data[n] = (n * 31 + (n >> 8)) & 0xff;
  const id = uuid();
  const url = await httpServer(t, (request, response) => {
    server.requests.push({ path: request.url ?? '', headers: request.headers });
    (server.next.shift() ?? well)(request, response, server);
  });
  const server: ImageServer = {
    url,
    id,
    data,
    metadata: {
      id,
      name: 'cirros',
      status: 'active',
      visibility: 'public',
      owner: 'project-1',
      disk_format: 'qcow2',
      container_format: 'bare',
      size: bytes,
      virtual_size: null,
      min_disk: 1,
      min_ram: 64,
      checksum: createHash('md5').update(data).digest('hex'),
      os_hash_algo: 'sha512',
      os_hash_value: createHash('sha512').update(data).digest('hex'),
      direct_url: 'rbd://secret@pool/image',
      locations: [{ url: 'swift+https://user:password@store/image' }],
      tags: ['small'],
      os_distro: 'cirros',
      hw_disk_bus: null,
      hw_boot_menu: true,
    },
    next: [],
    progress: () => {},
    requests: [],
  };
  return server;
}

export const well: Behaviour = (request, response, { url, id, data, metadata }) => {
  if (request.url === '/')
    json(response, { versions: [{ id: 'v2.9', status: 'CURRENT', links: [{ rel: 'self', href: `${url}/v2/` }] }] });
  else if (request.url === `/v2/images/${id}`) json(response, metadata);
  else if (request.url === `/v2/images/${id}/file`) file(request, response, data);
  else response.writeHead(404).end();
};

export const status =
  (code: number): Behaviour =>
  (_request, response) =>
    response.writeHead(code, { 'content-type': 'text/html' }).end('<html>no</html>');

/**
 * Sends so many bytes of what is asked for, and dies when `progress` says that they arrived: what is still on its way when
 * a connection breaks is lost.
 */
export const dieAfter =
  (bytes: number): Behaviour =>
  (request, response, server) => {
    const { data } = server;
    const from = rangeOf(request) ?? 0;
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': data.length - from,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${data.length - 1}/${data.length}` } : {}),
    });
    response.write(data.subarray(from, from + bytes), () => bytes === 0 && response.destroy());
    server.progress = (fraction) => fraction * data.length >= from + bytes && response.destroy();
  };

/** Sends so many bytes and then nothing any more. */
export const fallSilentAfter =
  (bytes: number): Behaviour =>
  (_request, response, { data }) => {
    response.writeHead(200, { 'content-length': data.length });
    response.write(data.subarray(0, bytes));
  };

export const sayNothing: Behaviour = () => {};

export const ignoreRange: Behaviour = (_request, response, { data }) => {
  response.writeHead(200, { 'content-length': data.length }).end(data);
};

/** Without a length, and without an end. */
export const endless: Behaviour = (_request, response, { data }) => {
  const send = (): void => {
    while (!response.destroyed && response.write(data));
    if (!response.destroyed) response.once('drain', send);
  };
  response.writeHead(200);
  send();
};

export const answer =
  (code: number, headers: Record<string, string | number>, body: string | Buffer = ''): Behaviour =>
  (_request, response) =>
    response.writeHead(code, headers).end(body);

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function file(request: IncomingMessage, response: ServerResponse, data: Buffer): void {
  const from = rangeOf(request);
  if (from === null) response.writeHead(200, { 'content-length': data.length }).end(data);
  else if (from >= data.length) response.writeHead(416).end();
  else
    response
      .writeHead(206, {
        'content-length': data.length - from,
        'content-range': `bytes ${from}-${data.length - 1}/${data.length}`,
      })
      .end(data.subarray(from));
}

function rangeOf({ headers }: IncomingMessage): number | null {
  const from = /^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1];
  return from === undefined ? null : Number(from);
}
