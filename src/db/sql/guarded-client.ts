/**
 * A client of PostgreSQL that survives any answer: nothing a server sends can make it throw where nobody catches.
 *
 * `pg` reads messages in a listener of its socket. A message that breaks the protocol makes that listener throw, which
 * nobody can catch, and the process ends; or read on for ever. Here it breaks the connection, which is an error like any
 * other: `WholeMessages` looks before `pg` does, and what is well-formed and yet makes no sense is caught.
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import pg from 'pg';
import { WholeMessages } from './whole-messages.ts';

interface OnConnection {
  readonly connection: {
    readonly stream: Duplex;
    readonly ssl: unknown;
    once(event: 'sslconnect', listener: () => void): void;
  };
}

export class GuardedClient extends pg.Client {
  constructor(config: pg.ClientConfig = {}) {
    super({ ...config, stream: () => new Socket() });
    const { connection } = this as unknown as OnConnection;
    // With TLS messages come over another stream; what comes over this one, whether there will be TLS, is none.
    guarded(connection.stream, connection.ssl ? undefined : new WholeMessages());
    connection.once('sslconnect', () => guarded(connection.stream, new WholeMessages()));
  }

  /** Breaks the connection from this side, whatever the other does. What waits for an answer fails. */
  cut(): void {
    (this as unknown as OnConnection).connection.stream.destroy(new Error('Connection terminated: it was given up.'));
  }
}

function guarded(stream: Duplex, messages: WholeMessages | undefined): void {
  const emit = stream.emit.bind(stream) as (event: string | symbol, ...given: unknown[]) => boolean;
  const guard = (event: string | symbol, ...given: unknown[]): boolean => {
    if (event !== 'data') return emit(event, ...given);
    try {
      if (messages === undefined) return emit(event, ...given);
      const whole = messages.take(given[0] as Buffer);
      return whole === undefined || emit(event, whole);
    } catch (error) {
      stream.destroy(new Error('Connection terminated: what the server said cannot be read.', { cause: error }));
      return true;
    }
  };
  Object.assign(stream, { emit: guard });
}
