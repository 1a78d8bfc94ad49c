/**
 * What one option alone cannot say: the options that are computed from others, and those that are each right by
 * themselves and wrong together.
 */
import { hostname } from 'node:os';
import type { BackendConfig, Config } from './config.ts';
import { nearest } from './nearest.ts';

type Computed = 'node_name' | 'enabled_backends' | 'default_availability_zone';
type Loose<T, Key extends keyof T> = Omit<T, Key> & { readonly [K in Key]?: T[K] };

/** As the file says it, checked option by option; what is computed may be absent. */
export type ConfigDraft = Omit<Loose<Config, Computed>, 'backends'> & {
  readonly backends: {
    readonly [name: string]: Loose<BackendConfig, 'volume_backend_name' | 'backend_availability_zone'>;
  };
};

export function completed(draft: ConfigDraft): Config {
  const backends = Object.entries(draft.backends).map(([name, backend]) => [
    name,
    { volume_backend_name: name, backend_availability_zone: draft.storage_availability_zone, ...backend },
  ]);
  return {
    node_name: hostname().replaceAll(/[^A-Za-z0-9.-]+/g, '-'),
    enabled_backends: Object.keys(draft.backends),
    default_availability_zone: draft.storage_availability_zone,
    ...draft,
    backends: Object.fromEntries(backends),
  };
}

export function contradictions(config: Config): string[] {
  const found: string[] = [];
  const { api, keystone, services, notifications } = config;
  if (api.auth_strategy === 'noauth' && !isLoopback(api.host) && !api.listen_beyond_loopback) {
    found.push(
      `api.host: other machines can reach ${api.host}, and with auth_strategy "noauth" whoever does is an administrator. ` +
        'If that is wanted, say api.listen_beyond_loopback = true.',
    );
  }
  if (api.auth_strategy === 'keystone') {
    const { auth_url, username, password, application_credential_id, application_credential_secret } = keystone;
    if (auth_url === undefined) found.push('keystone.auth_url is missing; auth_strategy "keystone" needs it.');
    const byPassword = username !== undefined && password !== undefined;
    const byCredential = application_credential_id !== undefined && application_credential_secret !== undefined;
    if (!byPassword && !byCredential) {
      found.push(
        'keystone: username and password are missing, or application_credential_id and application_credential_secret; ' +
          'auth_strategy "keystone" needs either.',
      );
    }
  }
  if (Object.keys(config.backends).length === 0) {
    found.push('backends: there is none; a section [backends.NAME] is wanted.');
  }
  for (const name of config.enabled_backends) {
    if (Object.hasOwn(config.backends, name)) continue;
    const near = nearest(name, Object.keys(config.backends));
    found.push(
      `enabled_backends: there is no section [backends.${name}]${near === undefined ? '.' : `; did you mean ${near}?`}`,
    );
  }
  if (services.service_down_time <= services.report_interval) {
    found.push('services.service_down_time must be more than services.report_interval, or every service is down.');
  }
  if (notifications.drivers.includes('amqp') && notifications.amqp_url === undefined) {
    found.push('notifications.amqp_url is missing; the driver "amqp" needs it.');
  }
  try {
    new RegExp(api.project_id_regex);
  } catch {
    found.push(`api.project_id_regex must be a regular expression; it is ${JSON.stringify(api.project_id_regex)}.`);
  }
  return found;
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
