/** The image service of a storm: serves a directory of images, at a pace that lets a kill come between two pieces. */
import { once } from 'node:events';
import { open, readFile, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const PIECE_BYTES = 8 * 1024 ** 2;
const PACE_MS = 20;

export interface ImageService {
  readonly url: string;
  close(): void;
}

export async function serveImages(directory: string): Promise<ImageService> {
  const server = createServer((request, response) => {
    answer(directory, request, response).catch(() => response.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The image service has no port.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(directory: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, id, file] = /^\/v2\/images\/([0-9a-f-]{36})(\/file)?$/.exec(request.url ?? '') ?? [];
  if (id === undefined) {
    response.writeHead(404).end();
    return;
  }
  if (file === undefined) {
    const metadata = await readFile(join(directory, `${id}.json`));
    response.writeHead(200, { 'content-type': 'application/json' }).end(metadata);
    return;
  }
  const path = join(directory, `${id}.image`);
  const { size } = await stat(path);
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (from >= size && from > 0) {
    response.writeHead(416).end();
    return;
  }
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': size - from,
    ...(from > 0 && { 'content-range': `bytes ${from}-${size - 1}/${size}` }),
  });
  const image = await open(path, 'r');
  try {
    for (let at = from; at < size && !response.destroyed; at += PIECE_BYTES) {
      const { buffer, bytesRead } = await image.read(Buffer.alloc(PIECE_BYTES), 0, PIECE_BYTES, at);
      await pause(PACE_MS);
      response.write(buffer.subarray(0, bytesRead));
    }
    response.end();
  } finally {
    await image.close();
  }
}
