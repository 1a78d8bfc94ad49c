/**
 * Authentication under `noauth`: the token is `user:project` and is believed; everyone is an administrator. Without a colon the
 * project is called as the user. Any `X-Service-Token` is that of a service.
 *
 * A client that has no token asks for one with `X-Auth-User` and `X-Auth-Project-Id`; it is told its token and where to go.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { AskedFor } from '../model/access-rules.ts';
import type { Caller } from '../model/caller.ts';
import { headerText } from './decode.ts';

const ROLES = ['admin', 'member', 'reader'] as const;
const SERVICE_ROLES = ['service'] as const;
/** The same each time, by which who asks again is known. */
const NO_SERVICE_ROLES = [] as const;

/** Undefined when there is no token. */
export function callerOf(headers: IncomingHttpHeaders, requestId: string): Caller | undefined {
  const token = headerText(headers, 'x-auth-token');
  if (token === undefined) return undefined;
  const colon = token.indexOf(':');
  const userId = colon < 0 ? token : token.slice(0, colon);
  const projectId = colon < 0 ? '' : token.slice(colon + 1);
  const serviceRoles = headerText(headers, 'x-service-token') === undefined ? NO_SERVICE_ROLES : SERVICE_ROLES;
  return {
    userId,
    projectId: projectId === '' ? userId : projectId,
    roles: ROLES,
    isAdmin: true,
    serviceRoles,
    requestId,
  };
}

/**
 * Says who asks. A caller who is nobody is refused with an error of its own; undefined means that one may come back with
 * what `invitation` offers.
 */
export type Authenticate = (
  headers: IncomingHttpHeaders,
  requestId: string,
  asked: AskedFor,
) => Caller | undefined | Promise<Caller | undefined>;

export interface Invitation {
  readonly token: string;
  readonly projectId: string;
}

/** What a client without a token may come back with. */
export function invitation(headers: IncomingHttpHeaders): Invitation {
  const userId = headerText(headers, 'x-auth-user') ?? 'admin';
  const projectId = headerText(headers, 'x-auth-project-id') ?? 'admin';
  return { token: `${userId}:${projectId}`, projectId };
}
