/**
 * A TCP proxy in front of PostgreSQL that cuts a client's connection around a statement: before the server has heard
 * it, or after, when the server has carried it out and its answer is lost.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CuttingProxy {
  readonly url: string;
  /** Cuts once, at the next simple query that contains the text. */
  cut(when: 'before' | 'after', statement: string): void;
  /** While refusing, new connections end at once. */
  refuse(refusing: boolean): void;
  readonly cuts: number;
  /** Nothing arrives any more, in either direction, and no connection ends. */
  silence(): void;
  close(): Promise<void>;
}

export async function cuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let armed: { when: 'before' | 'after'; statement: string } | undefined;
  let refusing = false;
  let cuts = 0;
  let silent = false;

  const server = createServer((client) => {
    sockets.add(client);
    client.on('error', () => {});
    if (refusing) return client.destroy();
    const upstream = connect(Number(port), hostname);
    sockets.add(upstream);
    upstream.on('error', () => client.destroy());
    let answerLost = false;
    client.on('data', (data) => {
      if (silent) return;
      if (armed !== undefined && data.includes(armed.statement)) {
        const { when } = armed;
        armed = undefined;
        cuts += 1;
        if (when === 'before') {
          client.destroy();
          return upstream.destroy();
        }
        answerLost = true;
      }
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (silent) return;
      if (!answerLost) return client.write(data);
      client.destroy();
      upstream.destroy();
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    cut: (when, statement) => {
      armed = { when, statement };
    },
    refuse: (value) => {
      refusing = value;
    },
    silence: () => {
      silent = true;
    },
    get cuts() {
      return cuts;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
