/**
 * Authentication by token: from the tokens of a request to its caller, by asking an identity service.
 *
 * A token of an application credential with access rules is good for the requests that they name; a service that asks in the user's
 * name is not held to them, since the user asked that service for something else. A token may be remembered, but its rules are
 * asked for each request.
 *
 * A token must be for a project. One for the whole site belongs to an administrator who looks (`policy/enforce.ts` lets it change
 * nothing, for a row it made would be nobody's); one for a domain or for nothing gets nowhere. A service token names the
 * service that asks in the user's name; one that is not good is refused, never overlooked.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type AskedFor, allows } from '../model/access-rules.ts';
import { type Caller, withImplied } from '../model/caller.ts';
import { Forbidden } from '../model/errors.ts';
import { type Token, type TokenSource, TokenText, Unauthorized } from '../model/token.ts';
import type { Authenticate } from './caller.ts';
import type { Policy } from './policy/policy.ts';

export interface TokenAuthenticationOptions {
  readonly source: TokenSource;
  readonly policy: Policy;
  /** Roles by which a service token counts as one. */
  readonly serviceRoles: readonly string[];
  /** A service token without such a role is refused; else it counts with the roles it has. */
  readonly serviceRolesRequired: boolean;
  /** What access rules call this service. */
  readonly serviceType: string;
  /** What `WWW-Authenticate` says. */
  challenge(headers: IncomingHttpHeaders): string;
}

type Bearer = Omit<Caller, 'requestId' | 'token'>;

const NO_SERVICE: readonly string[] = [];

export function byToken(options: TokenAuthenticationOptions): Authenticate {
  const { source, policy, challenge, serviceType } = options;
  /** Of tokens that are remembered, when no service speaks for its user: with each request it would be the same again. */
  const bearers = new WeakMap<Token, Bearer>();
  const bearerOf = (token: Token, serviceRoles: readonly string[]): Bearer => {
    const known = serviceRoles === NO_SERVICE ? bearers.get(token) : undefined;
    if (known !== undefined) return known;
    const roles = withImplied(token.roles);
    const asker = { userId: token.userId, projectId: token.projectId ?? '', roles, serviceRoles };
    const isAdmin = policy.isAdmin(asker);
    if (token.projectId === null && !(token.system && isAdmin)) {
      throw new Forbidden('The token is for no project, and nothing here belongs to anything else.');
    }
    const bearer = { ...asker, isAdmin };
    if (serviceRoles === NO_SERVICE) bearers.set(token, bearer);
    return bearer;
  };
  const callerOf = (text: string, token: Token, serviceRoles: readonly string[], requestId: string): Caller => {
    const { userId, projectId, roles, isAdmin } = bearerOf(token, serviceRoles);
    return { userId, projectId, roles, serviceRoles, isAdmin, requestId, token: new TokenText(text) };
  };
  const challenged = (error: unknown, headers: IncomingHttpHeaders): never => {
    throw error instanceof Unauthorized
      ? new Unauthorized(error.message, { cause: error, challenge: challenge(headers) })
      : error;
  };
  const asked = async (
    text: string,
    token: Promise<Token>,
    ...[headers, requestId, request]: Parameters<Authenticate>
  ): Promise<Caller> => {
    try {
      return callerOf(text, heldToRules(await token, serviceType, request), NO_SERVICE, requestId);
    } catch (error) {
      return challenged(error, headers);
    }
  };
  const askedInAnothersName = async (
    text: string,
    serviceText: string,
    ...[headers, requestId, request]: Parameters<Authenticate>
  ): Promise<Caller> => {
    try {
      const [token, serviceRoles] = await inAnothersName(text, serviceText, request, options);
      return callerOf(text, token, serviceRoles, requestId);
    } catch (error) {
      return challenged(error, headers);
    }
  };
  return (headers, requestId, request) => {
    try {
      const text = one(headers['x-auth-token']);
      const serviceText = one(headers['x-service-token']);
      if (text === undefined) throw new Unauthorized();
      if (serviceText !== undefined) return askedInAnothersName(text, serviceText, headers, requestId, request);
      const token = source.token(text);
      if (token instanceof Promise) return asked(text, token, headers, requestId, request);
      return callerOf(text, heldToRules(token, serviceType, request), NO_SERVICE, requestId);
    } catch (error) {
      return challenged(error, headers);
    }
  };
}

async function inAnothersName(
  text: string,
  serviceText: string,
  asked: AskedFor,
  { source, serviceRoles: wanted, serviceRolesRequired, serviceType }: TokenAuthenticationOptions,
): Promise<readonly [Token, readonly string[]]> {
  const service = await source.token(serviceText);
  // Else whoever is held to rules could vouch for itself.
  if (service.accessRules !== undefined) throw new Unauthorized('The service token is not good for everything.');
  const roles = service.roles.map((role) => role.toLowerCase());
  const isService = wanted.some((role) => roles.includes(role.toLowerCase()));
  if (!isService && serviceRolesRequired) throw new Unauthorized('The service token is not that of a service.');
  const token = await source.token(text, { evenExpired: isService });
  return [isService ? token : heldToRules(token, serviceType, asked), serviceRolesOf(roles, isService)];
}

function heldToRules(token: Token, serviceType: string, asked: AskedFor): Token {
  if (token.accessRules === undefined || allows(token.accessRules, serviceType, asked)) return token;
  throw new Unauthorized('The access rules of the application credential do not allow this request.');
}

/** Whatever a site calls the role of its services, here it is `service`. */
function serviceRolesOf(roles: readonly string[], isService: boolean): readonly string[] {
  const others = roles.filter((role) => role !== 'service');
  return isService ? [...others, 'service'] : others;
}

const one = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' && header !== '' ? header : undefined;
