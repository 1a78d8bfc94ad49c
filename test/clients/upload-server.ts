/**
 * An image service for tests that takes images as Glance does, and misbehaves on demand: connections that are cut at any byte, a death
 * between record and data, an answer that says all is well of an image that has lost a part.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { httpServer } from './http-server.ts';

export interface HeldImage {
  readonly record: Readonly<Record<string, unknown>>;
  status: 'queued' | 'saving' | 'active';
  data: Buffer;
  protected: boolean;
}

/** How the next bytes are taken. */
export type Taking =
  /** The connection ends after so many of them. */
  | { readonly is: 'cut'; readonly after: number }
  /** All arrive, and the answer does not. */
  | { readonly is: 'unanswered' }
  /** So many of the first are kept, and it answers well. */
  | { readonly is: 'kept'; readonly bytes: number }
  /** It answers so at once, whatever comes. */
  | { readonly is: 'refused'; readonly status: number };

export interface UploadServer {
  readonly url: string;
  readonly images: Map<string, HeldImage>;
  /** Ids of images that were removed. */
  readonly removed: Set<string>;
  /** Whether an id may be had again. Glance's may not. */
  forgets: boolean;
  /** Used up one a PUT of data; then well. */
  readonly next: Taking[];
  /** It answers everything so, as one that is down behind a proxy does. */
  down: number | null;
  /** Answers to POST /v2/images; used up one a request. */
  readonly creating: number[];
  algorithm: string;
  /** `PUT <id>`, `POST`, … */
  readonly asked: string[];
  readonly headers: IncomingMessage['headers'][];
}

export async function uploadServer(t: TestContext): Promise<UploadServer> {
  const url = await httpServer(t, (request, response) => {
    answer(server, request, response).catch(() => response.destroy());
  });
  const server: UploadServer = {
    url,
    images: new Map(),
    removed: new Set(),
    forgets: false,
    next: [],
    down: null,
    creating: [],
    algorithm: 'sha512',
    asked: [],
    headers: [],
  };
  return server;
}

async function answer(server: UploadServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = 'GET', url = '' } = request;
  const [, id = '', file] = /^\/v2\/images(?:\/([0-9a-f-]{36})(\/file)?)?$/.exec(url) ?? [];
  server.asked.push([method, id, file].filter(Boolean).join(' '));
  server.headers.push(request.headers);
  const image = server.images.get(id);
  if (server.down !== null) return end(request, response, server.down);
  if (method === 'POST') return create(server, request, response);
  if (image === undefined) return end(request, response, server.removed.has(id) ? 410 : 404);
  if (method === 'GET') return end(request, response, 200, shown(server, id, image));
  if (method === 'PUT') return take(server, image, request, response);
  if (method === 'PATCH') {
    image.protected = (JSON.parse(String(await whole(request))) as [{ value: boolean }])[0].value;
    return end(request, response, 200);
  }
  if (image.protected) return end(request, response, 403);
  server.images.delete(id);
  server.removed.add(id);
  return end(request, response, 204);
}

async function create(server: UploadServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const record = JSON.parse(String(await whole(request))) as Record<string, unknown>;
  const id = String(record.id);
  const status = server.creating.shift();
  const taken = server.images.has(id) || (server.removed.has(id) && !server.forgets);
  if (taken || (status !== undefined && status >= 400)) return end(request, response, status ?? 409);
  server.images.set(id, { record, status: 'queued', data: Buffer.alloc(0), protected: record.protected === true });
  if (status === 0) return void response.destroy();
  return end(request, response, 201, record);
}

async function take(
  server: UploadServer,
  image: HeldImage,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const how = server.next.shift();
  if (image.status !== 'queued') return end(request, response, 409);
  if (how?.is === 'refused') {
    // Closed with something unread in it, a connection may lose the answer that it was sent, and the try would be made again.
    await whole(request);
    return end(request, response, how.status);
  }
  image.status = 'saving';
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    pieces.push(piece);
    bytes += piece.length;
    if (how?.is === 'cut' && bytes >= how.after) {
      image.status = 'queued';
      return void response.destroy();
    }
  }
  image.data = Buffer.concat(pieces);
  if (how?.is === 'kept') image.data = image.data.subarray(0, how.bytes);
  image.status = 'active';
  if (how?.is === 'unanswered') return void response.destroy();
  return end(request, response, 204);
}

function shown({ algorithm }: UploadServer, id: string, { record, status, data }: HeldImage): object {
  const isThere = status === 'active';
  return {
    ...record,
    id,
    status,
    size: isThere ? data.length : null,
    checksum: isThere ? createHash('md5').update(data).digest('hex') : null,
    os_hash_algo: isThere ? algorithm : null,
    os_hash_value: isThere ? createHash(algorithm).update(data).digest('hex') : null,
  };
}

async function whole(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}

function end(request: IncomingMessage, response: ServerResponse, status: number, body?: object): void {
  if (!request.complete && request.method === 'PUT') response.setHeader('connection', 'close');
  const text = body === undefined ? (status >= 400 ? `<html><b>${status}</b> no</html>` : '') : JSON.stringify(body);
  response.writeHead(status, { 'content-type': body === undefined ? 'text/html' : 'application/json' }).end(text);
}
