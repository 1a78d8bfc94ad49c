/**
 * The image service of a storm: serves a directory of images, at a pace that lets a kill come between two pieces.
 *
 * It ends each connection after its answer, as many balancers do, now and then without having said so; and now and then in mid-body, as
 * one does that is restarted.
 */
import { once } from 'node:events';
import { open, readFile, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Chance } from './chance.ts';

const PIECE_BYTES = 8 * 1024 ** 2;
const PACE_MS = 20;
const CUT = 0.3;
const UNSAID = 0.5;

export interface ImageService {
  readonly url: string;
  /** Answers that were cut in mid-body. */
  readonly cuts: number;
  close(): void;
}

export async function serveImages(directory: string, chance: Chance): Promise<ImageService> {
  let cuts = 0;
  const server = createServer((request, response) => {
    const { socket } = request;
    if (!chance.is(UNSAID)) response.setHeader('connection', 'close');
    response.on('finish', () => socket.end());
    const cutAfter = chance.is(CUT) ? chance.between(0, 3) : undefined;
    answer(directory, request, response, cutAfter)
      .then((wasCut) => {
        if (wasCut) cuts += 1;
      })
      .catch(() => response.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The image service has no port.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    get cuts() {
      return cuts;
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Resolves with whether it was cut, after so many pieces of an image. */
async function answer(
  directory: string,
  request: IncomingMessage,
  response: ServerResponse,
  cutAfter: number | undefined,
): Promise<boolean> {
  const [, id, file] = /^\/v2\/images\/([0-9a-f-]{36})(\/file)?$/.exec(request.url ?? '') ?? [];
  if (id === undefined) {
    response.writeHead(404).end();
    return false;
  }
  if (file === undefined) {
    const metadata = await readFile(join(directory, `${id}.json`));
    response.writeHead(200, { 'content-type': 'application/json' }).end(metadata);
    return false;
  }
  const path = join(directory, `${id}.image`);
  const { size } = await stat(path);
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (from >= size && from > 0) {
    response.writeHead(416).end();
    return false;
  }
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': size - from,
    ...(from > 0 && { 'content-range': `bytes ${from}-${size - 1}/${size}` }),
  });
  const image = await open(path, 'r');
  try {
    for (let at = from; at < size && !response.destroyed; at += PIECE_BYTES) {
      if (at - from === (cutAfter ?? Number.NaN) * PIECE_BYTES) {
        response.destroy();
        return true;
      }
      const { buffer, bytesRead } = await image.read(Buffer.alloc(PIECE_BYTES), 0, PIECE_BYTES, at);
      await pause(PACE_MS);
      response.write(buffer.subarray(0, bytesRead));
    }
    response.end();
    return false;
  } finally {
    await image.close();
  }
}
