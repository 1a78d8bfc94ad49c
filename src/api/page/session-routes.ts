/**
 * `/pumice/v1/session`: who is signed in with the page, and the ways in and out.
 *
 * Reading it needs no session and is never refused, for the page must learn how one signs in here; so it says `null` where nobody
 * is. A sign-in is held to the rule against forged requests too: else another site could sign a visitor in as somebody
 * else, who would then put data into that one's project.
 */
import { type Static, Type } from '../../lib/schema.ts';
import { Forbidden } from '../../model/errors.ts';
import { Unauthorized } from '../../model/token.ts';
import { CLOSED, Maybe, Nullable, Text255 } from '../body.ts';
import { type ApiCall, type Route, route } from '../route.ts';
import { refuseForged, sessionCookie, sessionToken } from './session-cookie.ts';
import type { Sessions } from './sessions.ts';

const SignIn = Type.Object(
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

const Named = Type.Object({ id: Type.String(), name: Type.String() });
const Shown = Type.Object({
  strategy: Type.Enum(['noauth', 'local', 'keystone']),
  session: Nullable(
    Type.Object({
      user: Named,
      project: Named,
      projects: Type.Array(Named),
      expires_at: Nullable(Type.String()),
      roles: Type.Array(Type.String()),
      is_admin: Type.Boolean(),
    }),
  ),
  /** Where nobody is signed in: what a form may suggest. */
  suggestions: Type.Optional(
    Type.Object({ projects: Type.Optional(Type.Array(Type.String())), domain: Type.Optional(Type.String()) }),
  ),
});

type Call = Pick<ApiCall, 'headers' | 'address' | 'desk' | 'header' | 'callerBy'>;

/** `sessions` makes the kind that the strategy of authentication wants. */
export function sessionRoutes(sessions: () => Promise<Sessions>): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/session',
      policy: '@',
      open: true,
      answer: Shown,
      async handle(call) {
        return shown(tokenOf(call), call, await sessions());
      },
    }),

    route({
      method: 'POST',
      path: '/session',
      policy: '@',
      open: true,
      status: 201,
      body: SignIn,
      answer: Shown,
      async handle(call) {
        const before = tokenOf(call);
        refuseForged(call.headers, 'POST', call.desk.config.api);
        const token = await tokenFor(call.body, before, call, await sessions());
        const body = await shown(token, call, await sessions());
        setCookie(token, call);
        return body;
      },
    }),

    route({
      method: 'DELETE',
      path: '/session',
      policy: '@',
      open: true,
      status: 204,
      async handle(call) {
        const before = tokenOf(call);
        refuseForged(call.headers, 'DELETE', call.desk.config.api);
        if (before !== undefined) await (await sessions()).signOut(before).catch(unlessNobodys);
        setCookie(undefined, call);
        return undefined;
      },
    }),
  ];
}

/** That of the cookie. What is answered depends on it. */
function tokenOf({ header, headers, desk }: Call): string | undefined {
  header('cache-control', 'no-store');
  header('vary', 'Cookie');
  return sessionToken(headers, desk.config.api);
}

const setCookie = (token: string | undefined, { header, headers, desk }: Call): void =>
  header('set-cookie', sessionCookie(token, headers, desk.config.api));

/** Whoever is signed in and names only a project changes to that. */
async function tokenFor(
  { session }: Static<typeof SignIn>,
  before: string | undefined,
  { address }: Call,
  sessions: Sessions,
): Promise<string> {
  if (before !== undefined && session.project && !session.user) return sessions.change(before, session.project);
  return sessions.signIn(session, address);
}

async function shown(token: string | undefined, call: Call, sessions: Sessions): Promise<object> {
  const session = token === undefined ? null : await factsOf(token, call, sessions);
  if (session !== null) return { strategy: sessions.strategy, session };
  return { strategy: sessions.strategy, session, suggestions: await sessions.suggestions() };
}

/** Null when the token is nobody's, or no longer for anything here. */
async function factsOf(token: string, { callerBy }: Call, sessions: Sessions): Promise<object | null> {
  try {
    const caller = await callerBy(token);
    if (caller === undefined) return null;
    return {
      ...(await sessions.facts(token, caller)),
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
