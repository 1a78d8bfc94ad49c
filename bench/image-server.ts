/**
 * Who has one image, and gives it to whoever asks as Glance does: what a service of volumes wants of it, and no more. It is known by
 * every id, so that nobody has seen it before.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

export interface ImageServer {
  readonly url: string;
  stop(): void;
}

const MADE = '2026-01-01T00:00:00Z';

export async function serveImage(file: string, diskFormat: string): Promise<ImageServer> {
  const data = readFileSync(file);
  const said = {
    name: 'an image',
    status: 'active',
    visibility: 'public',
    container_format: 'bare',
    disk_format: diskFormat,
    size: data.length,
    checksum: createHash('md5').update(data).digest('hex'),
    min_disk: 0,
    min_ram: 0,
    created_at: MADE,
    updated_at: MADE,
  };
  // Glance's client asks which keys are Glance's own.
  const properties = Object.fromEntries(['id', ...Object.keys(said)].map((name) => [name, { is_base: true }]));
  const server = createServer((request, response) => {
    const [, id, bytes] = /^\/v2\/images\/([0-9a-f-]{36})(\/file)?$/.exec(request.url ?? '') ?? [];
    if (bytes === undefined) {
      const body = id === undefined ? { name: 'image', properties } : { ...said, id };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': said.size });
    // Who is told enough hangs up.
    pipeline(createReadStream(file), response).catch(() => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
