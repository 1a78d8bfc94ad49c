/**
 * `/pumice/v1/session`: who is signed in with the page, and the ways in and out.
 *
 * Reading it needs no session and is never refused, for the page must learn how one signs in here; so it says `null` where nobody
 * is. A sign-in is held to the rule against forged requests too: else another site could sign a visitor in as somebody
 * else, who would then put data into that one's project.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiConfig } from '../../lib/config/config.ts';
import { Type } from '../../lib/schema.ts';
import { Forbidden, InvalidInput } from '../../model/errors.ts';
import { Unauthorized } from '../../model/token.ts';
import { bodyCheck, CLOSED, Maybe, Text255 } from '../body.ts';
import type { Authenticate } from '../caller.ts';
import { send } from '../exchange.ts';
import { OLDEST } from '../microversion.ts';
import { refuseForged, sessionCookie, sessionToken } from './session-cookie.ts';
import type { Sessions, TypedCredentials } from './sessions.ts';

export interface SessionDeps {
  readonly api: ApiConfig;
  /** By token header. */
  readonly authenticate: Authenticate;
  readonly sessions: Sessions;
}

const Body = Type.Object(
  {
    session: Type.Object(
      {
        user: Maybe(Text255),
        password: Maybe(Type.String({ maxLength: 4096 })),
        domain: Maybe(Text255),
        project: Maybe(Text255),
      },
      CLOSED,
    ),
  },
  CLOSED,
);
const check = bodyCheck(Body);

export async function answerSession(request: FastifyRequest, reply: FastifyReply, deps: SessionDeps): Promise<void> {
  const { headers, method } = request;
  const { api, sessions } = deps;
  reply.header('cache-control', 'no-store').header('vary', 'Cookie');
  if (method === 'GET') return send(reply, 200, await shown(sessionToken(headers, api), request, deps));
  refuseForged(headers, method, api);
  const before = sessionToken(headers, api);
  if (method === 'DELETE') {
    if (before !== undefined) await sessions.signOut(before).catch(unlessNobodys);
    return send(reply.header('set-cookie', sessionCookie(undefined, headers, api)), 204, undefined);
  }
  const token = await tokenFor(request.body, before, request, sessions);
  const body = await shown(token, request, deps);
  send(reply.header('set-cookie', sessionCookie(token, headers, api)), 201, body);
}

/** Whoever is signed in and names only a project changes to that. */
async function tokenFor(
  body: unknown,
  before: string | undefined,
  { ip }: FastifyRequest,
  sessions: Sessions,
): Promise<string> {
  if (body === undefined) throw new InvalidInput('The request has no body.');
  await check(body, OLDEST);
  const { session } = body as { readonly session: TypedCredentials };
  if (before !== undefined && session.project && !session.user) return sessions.change(before, session.project);
  return sessions.signIn(session, ip);
}

async function shown(token: string | undefined, request: FastifyRequest, deps: SessionDeps): Promise<object> {
  const { sessions } = deps;
  const session = token === undefined ? null : await factsOf(token, request, deps);
  if (session !== null) return { strategy: sessions.strategy, session };
  return { strategy: sessions.strategy, session, suggestions: await sessions.suggestions() };
}

/** Null when the token is nobody's, or no longer for anything here. */
async function factsOf(token: string, request: FastifyRequest, deps: SessionDeps): Promise<object | null> {
  try {
    const caller = await deps.authenticate({ ...request.headers, 'x-auth-token': token }, request.id, request);
    if (caller === undefined) return null;
    return {
      ...(await deps.sessions.facts(token, caller)),
      roles: caller.roles,
      is_admin: caller.isAdmin,
    };
  } catch (error) {
    if (error instanceof Unauthorized || error instanceof Forbidden) return null;
    throw error;
  }
}

function unlessNobodys(error: unknown): void {
  if (!(error instanceof Unauthorized)) throw error;
}
