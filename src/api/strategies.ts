/** The ways to know who asks, and which of them a configuration wants. */
import { Keystone, type KeystoneCredentials } from '../clients/keystone.ts';
import type { Config, KeystoneConfig } from '../lib/config.ts';
import type { Log } from '../lib/logging.ts';
import { byToken } from './admission.ts';
import { type Admission, callerOf } from './caller.ts';
import type { Policy } from './policy/policy.ts';

export function admissionOf({ api, keystone }: Config, policy: Policy, log: Log): Admission {
  if (api.auth_strategy === 'noauth') return callerOf;
  const { auth_url: url = '', www_authenticate_uri: uri = url } = keystone;
  return byToken({
    source: new Keystone({
      url,
      credentials: credentialsOf(keystone),
      timeoutMs: keystone.http_request_timeout * 1000,
      cacheMs: keystone.token_cache_time * 1000,
      log,
    }),
    policy,
    serviceRoles: keystone.service_token_roles,
    serviceRolesRequired: keystone.service_token_roles_required,
    challenge: () => `Keystone uri="${uri}"`,
  });
}

/** The configuration has one of the two. */
function credentialsOf(keystone: KeystoneConfig): KeystoneCredentials {
  const { application_credential_id: id, application_credential_secret: secret } = keystone;
  if (id !== undefined && secret !== undefined)
    return { applicationCredentialId: id, applicationCredentialSecret: secret };
  return {
    username: keystone.username ?? '',
    password: keystone.password ?? '',
    userDomainName: keystone.user_domain_name,
    projectName: keystone.project_name,
    projectDomainName: keystone.project_domain_name,
  };
}
