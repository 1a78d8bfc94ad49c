/**
 * The strategies of authentication (`noauth`, Keystone, tokens of our own), and which of them a configuration wants. Identity of
 * our own is loaded where it is wanted.
 */
import type { FastifyInstance } from 'fastify';
import type { Database } from '../db/database.ts';
import { pause } from '../lib/clock.ts';
import type { Config } from '../lib/config/config.ts';
import type { Log } from '../lib/logging.ts';
import type { TokenSource } from '../model/token.ts';
import { type Authenticate, callerOf } from './caller.ts';
import { baseOf } from './links.ts';
import type { Sessions } from './page/sessions.ts';
import type { Policy } from './policy/policy.ts';
import { byToken } from './token-authentication.ts';

export interface Strategy {
  readonly admit: Authenticate;
  /** Identity of our own, where there is one. */
  readonly addIdentity?: (app: FastifyInstance) => void;
  /** Of the page. Called when somebody first opens it. */
  readonly sessions: () => Promise<Sessions>;
}

export interface StrategyDeps {
  readonly config: Config;
  readonly policy: Policy;
  /** Where the configuration wants it to be asked. */
  readonly keystone: TokenSource | undefined;
  readonly db: Database;
  readonly log: Log;
  /** Aborted when the service stops. */
  readonly signal: AbortSignal;
}

export async function strategyOf(deps: StrategyDeps): Promise<Strategy> {
  const { keystone, config, db } = deps;
  if (keystone !== undefined)
    return {
      admit: byKeystone(deps, keystone),
      sessions: async () => new (await import('./page/keystone-sessions.ts')).KeystoneSessions(config.keystone),
    };
  if (config.api.auth_strategy === 'local') return local(deps);
  return {
    admit: callerOf,
    sessions: async () => new (await import('./page/sessions.ts')).UnprovedSessions(db),
  };
}

function byKeystone({ config: { keystone }, policy }: StrategyDeps, source: TokenSource): Authenticate {
  const { auth_url: url = '', www_authenticate_uri: uri = url } = keystone;
  return byToken({
    source,
    policy,
    serviceRoles: keystone.service_token_roles,
    serviceRolesRequired: keystone.service_token_roles_required,
    serviceType: keystone.service_type,
    challenge: () => `Keystone uri="${uri}"`,
  });
}

async function local(deps: StrategyDeps): Promise<Strategy> {
  const { SignInThrottle } = await import('./identity/sign-in-throttle.ts');
  const { addIdentity } = await import('./identity/identity-routes.ts');
  const { IssuedTokens } = await import('./identity/issued-tokens.ts');
  const { People } = await import('./identity/people.ts');
  const { config, policy, db, log, signal } = deps;
  const { api, identity, images: from } = config;
  const people = new People(identity);
  const tokens = new IssuedTokens(db, people, identity.token_expiration * 1000);
  const throttle = new SignInThrottle((ms) => pause(ms, signal));
  const admit = byToken({
    source: tokens,
    policy,
    serviceRoles: ['service'],
    serviceRolesRequired: true,
    serviceType: 'volumev3',
    challenge: ({ host }) => `Keystone uri="${baseOf(host, api)}/identity/v3"`,
  });
  const images = from.store === 'glance' ? from.glance_url : undefined;
  return {
    admit,
    addIdentity: (app) => addIdentity(app, { people, tokens, throttle, api, region: identity.region, images, log }),
    sessions: async () => new (await import('./page/own-sessions.ts')).OwnSessions({ people, tokens, throttle, log }),
  };
}
