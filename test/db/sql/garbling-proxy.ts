/** A TCP proxy in front of PostgreSQL that spoils what the server says: at a chosen piece, in one connection or in all. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** At the n-th piece that the server sends over any connection (0 is the first). */
export type Spoil = { readonly at: number } & (
  | { readonly is: 'garbled'; readonly places: readonly (readonly [at: number, to: number])[] }
  | { readonly is: 'nonsense'; readonly bytes: Uint8Array }
  | { readonly is: 'twice' }
  | { readonly is: 'cut'; readonly after: number }
  /** Says nothing more, and is cut when `end` is called. */
  | { readonly is: 'stall' }
  | { readonly is: 'flood'; readonly bytes: Uint8Array; readonly times: number }
);

export interface GarblingProxy {
  readonly url: string;
  /** Resolves when it has spoilt something. */
  readonly reached: Promise<void>;
  /** From now on all is passed on as it is; what stands is cut. */
  mend(): void;
  close(): Promise<void>;
}

export async function garblingProxy(target: string, spoil: Spoil): Promise<GarblingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const reached = Promise.withResolvers<void>();
  let pieces = 0;
  let mended = false;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    }
    let silent = false;
    client.on('data', (data) => upstream.write(data));
    upstream.on('data', (data: Buffer) => {
      if (silent) return;
      const now = !mended && pieces === spoil.at;
      pieces += 1;
      if (!now) {
        client.write(data);
        return;
      }
      silent = spoils(client, data, spoil);
      reached.resolve();
    });
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.href,
    reached: reached.promise,
    mend: () => {
      mended = true;
      cut();
    },
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

/** True when nothing more is passed on over this connection. */
function spoils(client: Socket, data: Buffer, spoil: Spoil): boolean {
  switch (spoil.is) {
    case 'garbled': {
      const changed = Buffer.from(data);
      for (const [at, to] of spoil.places) changed[at % changed.length] = to;
      client.write(changed);
      return false;
    }
    case 'nonsense':
      client.write(spoil.bytes);
      return false;
    case 'twice':
      client.write(Buffer.concat([data, data]));
      return false;
    case 'cut':
      client.write(data.subarray(0, spoil.after % data.length), () => client.destroy());
      return true;
    case 'stall':
      return true;
    case 'flood':
      for (let n = 0; n < spoil.times; n += 1) client.write(spoil.bytes);
      return true;
  }
}
