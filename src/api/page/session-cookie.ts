/**
 * The session of the page: a cookie that holds a token of the API, and is taken where a request has no token header.
 *
 * A browser sends it with whatever goes to this host, whoever made the request: a form on another port of the host is "the same
 * site" to it. So a request by cookie must show that the page made it: `Sec-Fetch-Site`, where the browser says it (over plain
 * http under a name it does not), and for whatever may change something an `Origin` equal to ours and a body that no form can
 * send. Behind a proxy our own origin is the configured one, never what the `Host` header says.
 *
 * Cookies know no ports, so the port is in the name: two services on one host would sign each other out. No script can read
 * it (`HttpOnly`); a link from elsewhere brings it along (`Lax`), so whoever follows one is signed in.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { ApiConfig } from '../../lib/config/config.ts';
import { Forbidden } from '../../model/errors.ts';
import type { Authenticate } from '../caller.ts';
import { baseOf } from '../links.ts';

/** Whoever has no token in a header is known by the session's. Throws `Forbidden` for what the page did not ask. */
export const orBySession =
  (authenticate: Authenticate, api: ApiConfig): Authenticate =>
  (headers, requestId, asked) => {
    if (headers['x-auth-token'] !== undefined || headers.cookie === undefined)
      return authenticate(headers, requestId, asked);
    const token = sessionToken(headers, api);
    if (token === undefined) return authenticate(headers, requestId, asked);
    refuseForged(headers, asked.method, api);
    return authenticate({ ...headers, 'x-auth-token': token }, requestId, asked);
  };

/** Throws `Forbidden`. */
export function refuseForged(headers: IncomingHttpHeaders, method: string | undefined, api: ApiConfig): void {
  const site = headers['sec-fetch-site'];
  const own = ownOrigin(headers, api).origin;
  if (site !== undefined && site !== 'same-origin' && site !== 'none') throw forged(own);
  if (method === 'GET' || method === 'HEAD') return;
  if (headers.origin !== own) throw forged(own);
  if (!/^application\/json\b/i.test(headers['content-type'] ?? ''))
    throw new Forbidden('A request by the cookie of a session must say that its body is application/json.');
}

const forged = (own: string): Forbidden =>
  new Forbidden(
    `A request by the cookie of a session must come from the page at ${own}. (Behind a proxy, api.public_endpoint says where that is.)`,
  );

/** Undefined where the request has none of ours. */
export function sessionToken(headers: IncomingHttpHeaders, api: ApiConfig): string | undefined {
  const begin = `${cookieName(ownOrigin(headers, api))}=`;
  const pair = headers.cookie
    ?.split(';')
    .map((each) => each.trim())
    .find((each) => each.startsWith(begin));
  return pair === undefined ? undefined : decoded(pair.slice(begin.length));
}

/** `Set-Cookie`: until the browser is closed, or, without a token, gone at once. */
export function sessionCookie(token: string | undefined, headers: IncomingHttpHeaders, api: ApiConfig): string {
  const own = ownOrigin(headers, api);
  return [
    `${cookieName(own)}=${encodeURIComponent(token ?? '')}`,
    'Path=/',
    'HttpOnly',
    'SameSite=Lax',
    ...(own.protocol === 'https:' ? ['Secure'] : []),
    ...(token === undefined ? ['Max-Age=0'] : []),
  ].join('; ');
}

const ownOrigin = ({ host }: IncomingHttpHeaders, api: ApiConfig): URL => new URL(baseOf(host, api));

const cookieName = ({ port, protocol }: URL): string => `pumice_${port || (protocol === 'https:' ? 443 : 80)}`;

function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value) || undefined;
  } catch {
    return undefined;
  }
}
