/**
 * A client of PostgreSQL that survives any answer: nothing a server sends can make it throw where nobody catches.
 *
 * `pg` reads messages in a listener of its socket. A message that breaks the protocol makes that listener throw, which
 * nobody can catch, and the process ends. Here it breaks the connection, which is an error like any other.
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import pg from 'pg';

interface OnConnection {
  readonly connection: { readonly stream: Duplex; once(event: 'sslconnect', listener: () => void): void };
}

export class GuardedClient extends pg.Client {
  constructor(config: pg.ClientConfig = {}) {
    super({ ...config, stream: () => guarded(new Socket()) });
    // With TLS it is another stream that is read.
    const { connection } = this as unknown as OnConnection;
    connection.once('sslconnect', () => guarded(connection.stream));
  }
}

function guarded<Stream extends Duplex>(stream: Stream): Stream {
  const emit = stream.emit.bind(stream) as (event: string | symbol, ...given: unknown[]) => boolean;
  const guard = (event: string | symbol, ...given: unknown[]): boolean => {
    if (event !== 'data') return emit(event, ...given);
    try {
      return emit(event, ...given);
    } catch (error) {
      stream.destroy(new Error('Connection terminated: what the server said cannot be read.', { cause: error }));
      return true;
    }
  };
  return Object.assign(stream, { emit: guard });
}
