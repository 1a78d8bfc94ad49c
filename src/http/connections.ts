/**
 * A pool of connections to one peer, kept alive for the next request as long as they are of use.
 *
 * Built on `node:http`, which the service has loaded for its own door: a peer that closes, resets or babbles when it likes
 * ends a request here and nothing else. Two holes of it are closed: a connection has an `error` listener for as long as it
 * lives, not only while a request or the pool holds it; and one on which bytes come that nobody asked for is ended, so that
 * they are never the answer to the next request.
 *
 * No proxy is used and no environment variable is looked at, since requests carry tokens and go to services of the site itself.
 */
import type { Agent, AgentOptions, ClientRequest } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import type { Socket } from 'node:net';
import { http } from './node-http.ts';

export interface Connections {
  /** Kept for the next request. */
  readonly kept: Agent;
  /** Each for one request: where a kept one had been closed by the peer. */
  readonly fresh: Agent;
}

/** How long one is kept that nobody needs; a peer that says it closes earlier (`Keep-Alive: timeout=`) is believed. */
const IDLE_MS = 30_000;
const MOST_IDLE = 8;

/** `ca`: certificates (PEM) to be trusted in place of those that come with Node. */
export function connectionsTo(protocol: string, ca: string | undefined): Connections {
  const make = (options: AgentOptions): Agent =>
    protocol === 'https:' ? new TlsAgent({ ...options, ...(ca !== undefined && { ca }) }) : new http.Agent(options);
  const kept = make({ keepAlive: true, maxFreeSockets: MOST_IDLE, scheduling: 'lifo', timeout: IDLE_MS });
  const keep = kept.keepSocketAlive.bind(kept);
  const reuse = kept.reuseSocket.bind(kept);
  kept.keepSocketAlive = (connection: Socket): boolean => {
    connection.on('data', endIt);
    return (keep(connection) as unknown) !== false;
  };
  kept.reuseSocket = (connection: Socket, request: ClientRequest): void => {
    connection.off('data', endIt);
    reuse(connection, request);
  };
  return { kept, fresh: make({ keepAlive: false }) };
}

function endIt(this: Socket): void {
  this.destroy();
}
