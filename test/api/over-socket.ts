/** Requests that come over a connection, where `World.ask` puts them before the door without one. */
import { type IncomingHttpHeaders, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { PROJECT, USER } from './world.ts';

export interface SocketAsked {
  readonly method?: string;
  readonly version?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface SocketAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** As a client of the tests' project, who knows the server as `pumice.test:8776`. Each character of the path up to U+00FF is sent as one byte. */
export function askOverSocket(
  address: string,
  path: string,
  { method = 'GET', version, headers = {}, body }: SocketAsked = {},
): Promise<SocketAnswer> {
  return new Promise((resolve, reject) => {
    const sent = {
      host: 'pumice.test:8776',
      'x-auth-token': `${USER}:${PROJECT}`,
      ...(version !== undefined && { 'openstack-api-version': `volume ${version}` }),
      ...(body !== undefined && { 'content-type': 'application/json', 'content-length': String(body.length) }),
      ...headers,
    };
    const { hostname, port } = new URL(address);
    request({ hostname, port, path, method, headers: sent, agent: false }, (answer) => {
      text(answer).then(
        (body) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: body }),
        reject,
      );
    })
      .once('error', reject)
      .end(body);
  });
}
