/**
 * Credentials for an image service: the caller's token, or one of the service's own.
 *
 * The image service decides whether the caller may read an image, so it is asked with the caller's own token, in the request
 * that brought it. A flow may run hours later, when that token has ended: it reads with a token of the service's own, whose
 * user must be allowed to read every project's images.
 */
import type { Caller } from '../model/caller.ts';
import { type OwnToken, Unauthorized } from '../model/token.ts';
import type { Headers } from './glance-http.ts';

export interface Credentials {
  headers(who: Caller | 'service'): Promise<Headers>;
  /** The image service answered 401 to these. */
  refused(headers: Headers): void;
}

/** Without tokens: what a service behind no Keystone believes of who asks, as `noauth` believes it of our callers. */
export const byName: Credentials = {
  async headers(who) {
    const { userId, projectId, roles } =
      who === 'service' ? { userId: 'pumice', projectId: 'service', roles: ['admin', 'service'] } : who;
    return {
      'x-identity-status': 'Confirmed',
      'x-user-id': userId,
      'x-project-id': projectId,
      'x-tenant-id': projectId,
      'x-roles': roles.join(','),
      ...requestOf(who),
    };
  },
  refused() {},
};

const TOKEN = 'x-auth-token';

export function byTokens(own: OwnToken): Credentials {
  return {
    async headers(who) {
      const token = who === 'service' ? await own.own() : who.token?.reveal();
      if (token === undefined) throw new Unauthorized();
      return { [TOKEN]: token, ...requestOf(who) };
    },
    // A caller's token is none that we could get anew.
    refused: ({ [TOKEN]: token = '' }) => own.forget(token),
  };
}

const requestOf = (who: Caller | 'service'): Headers =>
  who === 'service' ? {} : { 'x-openstack-request-id': who.requestId };
