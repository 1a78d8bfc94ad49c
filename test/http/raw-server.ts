/** A server that writes bytes, not HTTP: whatever a peer may do to a connection. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** One request as far as its head: `GET / HTTP/1.1…`. Bodies are not waited for. */
export interface RawRequest {
  readonly head: string;
  /** Of all requests, from 0. */
  readonly index: number;
  /** Its connection, among all, from 0. */
  readonly connection: number;
}

export interface RawServer {
  readonly url: string;
  readonly requests: RawRequest[];
}

export async function rawServer(
  t: TestContext,
  answer: (connection: Socket, request: RawRequest) => void,
): Promise<RawServer> {
  const open = new Set<Socket>();
  const requests: RawRequest[] = [];
  let connections = 0;
  const server = createServer((connection) => {
    const mine = connections;
    connections += 1;
    open.add(connection);
    connection.on('error', () => {}).on('close', () => open.delete(connection));
    let head = '';
    connection.setEncoding('latin1').on('data', (text) => {
      head += text;
      while (head.includes('\r\n\r\n')) {
        const end = head.indexOf('\r\n\r\n');
        const request = { head: head.slice(0, end), index: requests.length, connection: mine };
        head = head.slice(end + 4).replace(/^[^A-Z]*/, '');
        requests.push(request);
        answer(connection, request);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const connection of open) connection.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return { url: `http://127.0.0.1:${address.port}`, requests };
}
