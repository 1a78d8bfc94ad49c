/**
 * The image service of a storm: serves a directory of images, at a pace that lets a kill come between two pieces, and takes images into it.
 *
 * It ends each connection after its answer, as many balancers do, now and then without having said so; and now and then at any byte of
 * what it sends or is sent, as one does that is restarted. While it is told to, it is dead, or keeps less of an image than it was sent and
 * says that all is well.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Chance } from './chance.ts';

const PIECE_BYTES = 8 * 1024 ** 2;
const PACE_MS = 20;
const CUT = 0.3;
const UNSAID = 0.5;

/** One whose bytes it has not got. */
interface Unsent {
  readonly said: object;
  status: 'queued' | 'saving';
}

export class ImageService {
  /** Connections that were cut in mid-body. */
  cuts = 0;
  /** Images of which it kept less. */
  robbed = 0;
  keepsLess = false;
  readonly #directory: string;
  readonly #chance: Chance;
  readonly #server = createServer((request, response) => this.#answer(request, response));
  readonly #unsent = new Map<string, Unsent>();
  /** An id is had once. */
  readonly #ids = new Set<string>();
  #dead = false;

  private constructor(directory: string, chance: Chance) {
    this.#directory = directory;
    this.#chance = chance;
  }

  static async start(directory: string, chance: Chance): Promise<ImageService> {
    const service = new ImageService(directory, chance);
    service.#server.listen(0, '127.0.0.1');
    await once(service.#server, 'listening');
    return service;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The image service has no port.');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Ids of images that were made, and have no bytes. */
  get empty(): readonly string[] {
    return [...this.#unsent.keys()];
  }

  set dead(dead: boolean) {
    this.#dead = dead;
    if (dead) this.#server.closeAllConnections();
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    if (this.#dead) return void socket.destroy();
    if (!this.#chance.is(UNSAID)) response.setHeader('connection', 'close');
    response.on('finish', () => socket.end());
    const [, id, file] = /^\/v2\/images(?:\/([0-9a-f-]{36})(\/file)?)?$/.exec(request.url ?? '') ?? [];
    const answering = this.#asked(`${request.method}${file === undefined ? '' : ' data'}`, id ?? '', request, response);
    answering.catch(() => response.destroy());
  }

  async #asked(what: string, id: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (what === 'POST') return this.#make(request, response);
    if (!(await this.#has(id))) return end(response, 404);
    if (what === 'GET') return end(response, 200, await this.#said(id));
    if (what === 'GET data') return this.#send(this.#path(id, 'image'), request, response);
    if (what === 'PUT data') return this.#take(id, request, response);
    this.#unsent.delete(id);
    for (const kind of ['json', 'image'] as const) await rm(this.#path(id, kind), { force: true });
    end(response, 204);
  }

  async #make(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const said = JSON.parse((await whole(request)).toString()) as { readonly id: string };
    if (this.#ids.has(said.id)) return end(response, 409);
    this.#ids.add(said.id);
    this.#unsent.set(said.id, { said, status: 'queued' });
    end(response, 201, said);
  }

  async #take(id: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const record = this.#unsent.get(id);
    if (record?.status !== 'queued') return end(response, 409);
    record.status = 'saving';
    const total = Number(request.headers['content-length']);
    const cutAt = this.#chance.is(CUT) ? this.#chance.between(0, total) : undefined;
    try {
      const data = await whole(request, cutAt);
      if (data.length < total) {
        this.cuts += 1;
        return void response.destroy();
      }
      // Removed meanwhile.
      if (this.#unsent.get(id) !== record) return end(response, 410);
      this.#keep(id, record, this.#less(data));
      end(response, 204);
    } finally {
      record.status = 'queued';
    }
  }

  #less(data: Buffer): Buffer {
    if (!this.keepsLess) return data;
    this.robbed += 1;
    return data.subarray(0, this.#chance.between(0, data.length - 1));
  }

  /** At once: nobody removes it meanwhile. */
  #keep(id: string, { said }: Unsent, data: Buffer): void {
    writeFileSync(this.#path(id, 'image'), data);
    const digest = (algorithm: string): string => createHash(algorithm).update(data).digest('hex');
    const found = { status: 'active', size: data.length, checksum: digest('md5'), os_hash_algo: 'sha512' };
    writeFileSync(this.#path(id, 'json'), JSON.stringify({ ...said, ...found, os_hash_value: digest('sha512') }));
    this.#unsent.delete(id);
  }

  async #send(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { size } = await stat(path);
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (from >= size && from > 0) return end(response, 416);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': size - from,
      ...(from > 0 && { 'content-range': `bytes ${from}-${size - 1}/${size}` }),
    });
    const until = this.#chance.is(CUT) ? this.#chance.between(from, size) : size;
    // What is written to one that has gone is never told to be sent.
    const gone = new Promise<void>((resolve) => void response.once('close', resolve));
    const image = await open(path, 'r');
    try {
      for (let at = from; at < until && !response.destroyed; at += PIECE_BYTES) {
        const bytes = Math.min(PIECE_BYTES, until - at);
        const { buffer, bytesRead } = await image.read(Buffer.alloc(bytes), 0, bytes, at);
        await pause(PACE_MS);
        const sent = new Promise((resolve) => void response.write(buffer.subarray(0, bytesRead), resolve));
        await Promise.race([sent, gone]);
      }
    } finally {
      await image.close();
    }
    if (until === size) return void response.end();
    this.cuts += 1;
    response.destroy();
  }

  async #has(id: string): Promise<boolean> {
    return this.#unsent.has(id) || stat(this.#path(id, 'json')).then(Boolean, () => false);
  }

  async #said(id: string): Promise<object> {
    const record = this.#unsent.get(id);
    if (record !== undefined) return { ...record.said, status: record.status };
    return JSON.parse(await readFile(this.#path(id, 'json'), 'utf8')) as object;
  }

  #path(id: string, kind: 'json' | 'image'): string {
    return join(this.#directory, `${id}.${kind}`);
  }
}

/** Of the first bytes so many, when they are not all; fewer when the other side has gone. */
async function whole(request: IncomingMessage, most = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= most) break;
  }
  return Buffer.concat(pieces).subarray(0, most);
}

function end(response: ServerResponse, status: number, body?: object): void {
  const text = body === undefined ? '' : JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json' }).end(text);
}
