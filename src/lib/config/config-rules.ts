/**
 * Rules between options: defaults that are computed from other options, and options that are each right by themselves and
 * wrong together.
 */
import { hostname } from 'node:os';
import { nearest } from '../nearest.ts';
import { unhandled } from '../unhandled.ts';
import type { BackendConfig, Config, IdentityConfig } from './config.ts';

type Computed = 'node_name' | 'enabled_backends' | 'default_availability_zone';
type Loose<T, Key extends keyof T> = Omit<T, Key> & { readonly [K in Key]?: T[K] };

/** As the file says it, checked option by option; what is computed may be absent. */
export type ConfigDraft = Omit<Loose<Config, Computed>, 'backends'> & {
  readonly backends: {
    readonly [name: string]: Loose<BackendConfig, 'volume_backend_name' | 'backend_host' | 'backend_availability_zone'>;
  };
};

export function completed(draft: ConfigDraft): Config {
  const { node_name: node = hostname().replaceAll(/[^A-Za-z0-9.-]+/g, '-'), storage_availability_zone: zone } = draft;
  const backends = Object.entries(draft.backends).map(([name, backend]) => [
    name,
    { volume_backend_name: name, backend_host: node, backend_availability_zone: zone, ...backend },
  ]);
  const [onlyStore, ...otherStores] = Object.keys(draft.backup_stores);
  return {
    node_name: node,
    enabled_backends: Object.keys(draft.backends),
    default_availability_zone: zone,
    ...(onlyStore !== undefined && otherStores.length === 0 && { default_backup_store: onlyStore }),
    ...draft,
    backends: Object.fromEntries(backends),
  };
}

/** `node@backend`: what the backend of a section of `[backends.*]` is called everywhere. */
export const hostOfSection = ({ backends }: Pick<Config, 'backends'>, name: string): string =>
  `${backends[name]?.backend_host}@${name}`;

export function contradictions(config: Config): string[] {
  const found: string[] = [];
  const { api, identity, keystone, services, notifications, metrics } = config;
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
  found.push(...unknownPeople(identity));
  for (const [name, { id }] of Object.entries(identity.projects)) {
    if (id === undefined || !isRegExp(api.project_id_regex) || new RegExp(`^(?:${api.project_id_regex})$`).test(id))
      continue;
    found.push(`identity.projects.${name}.id: ${id} is not what api.project_id_regex says a project id looks like.`);
  }
  if (api.auth_strategy === 'local' && Object.keys(identity.users).length === 0) {
    found.push('identity.users: there is none; with auth_strategy "local" nobody could sign in.');
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
  found.push(...wrongStores(config));
  const portals = new Map<string, string>();
  for (const name of config.enabled_backends) {
    const backend = config.backends[name];
    const portal = backend && ownPortalOf(backend);
    if (portal === undefined) continue;
    const other = portals.get(portal);
    if (other !== undefined)
      found.push(
        `backends.${name}.target_port: ${portal} is that of backends.${other}, and each has a tgtd of its own.`,
      );
    portals.set(portal, name);
  }
  found.push(...sharedPools(config));
  found.push(...sharedGroups(config));
  if (services.service_down_time <= services.report_interval) {
    found.push('services.service_down_time must be more than services.report_interval, or every service is down.');
  }
  if (notifications.drivers.includes('amqp') && notifications.amqp_url === undefined) {
    found.push('notifications.amqp_url is missing; the driver "amqp" needs it.');
  }
  if (metrics.enabled && !isLoopback(metrics.host) && metrics.bearer_token === undefined) {
    found.push(
      `metrics.bearer_token is missing: other machines can reach ${metrics.host}. It is best in a file, which metrics.bearer_token_file names.`,
    );
  }
  if (!isRegExp(api.project_id_regex)) {
    found.push(`api.project_id_regex must be a regular expression; it is ${JSON.stringify(api.project_id_regex)}.`);
  }
  return found;
}

function wrongStores({ backup_stores: stores, default_backup_store: chosen, backup_keys: keys }: Config): string[] {
  const names = Object.keys(stores);
  const found = Object.entries(stores).flatMap(([name, { backup_key: key }]) => {
    if (key === undefined || Object.hasOwn(keys, key)) return [];
    return [
      `backup_stores.${name}.backup_key: there is no key ${key} in [backup_keys]${meant(key, Object.keys(keys))}`,
    ];
  });
  if (chosen === undefined) {
    if (names.length > 0) found.push(`default_backup_store is missing; it must be one of ${names.join(', ')}.`);
  } else if (!Object.hasOwn(stores, chosen))
    found.push(`default_backup_store: there is no section [backup_stores.${chosen}]${meant(chosen, names)}`);
  return found;
}

/** Two backends of one volume group would each take the other's volumes for nobody's. */
function sharedGroups({ enabled_backends, backends }: Config): string[] {
  const groups = new Map<string, string>();
  return enabled_backends.flatMap((name) => {
    const backend = backends[name];
    if (backend?.driver !== 'lvm') return [];
    const other = groups.get(backend.volume_group);
    groups.set(backend.volume_group, name);
    if (other === undefined) return [];
    return [`backends.${name}.volume_group: ${backend.volume_group} is that of backends.${other}.`];
  });
}

function meant(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return near === undefined ? '.' : `; did you mean ${near}?`;
}

/** Projects and users that are named in [identity] and are not there. */
function unknownPeople({ users, projects, application_credentials: credentials }: IdentityConfig): string[] {
  const named: (readonly [where: string, kind: 'project' | 'user', name: string])[] = [];
  for (const [user, { roles, default_project: project }] of Object.entries(users)) {
    for (const name of Object.keys(roles)) named.push([`identity.users.${user}.roles`, 'project', name]);
    if (project !== undefined) named.push([`identity.users.${user}.default_project`, 'project', project]);
  }
  for (const [credential, { user, project }] of Object.entries(credentials)) {
    named.push([`identity.application_credentials.${credential}.user`, 'user', user]);
    named.push([`identity.application_credentials.${credential}.project`, 'project', project]);
  }
  const ids = [users, projects, credentials].flatMap((kind) => Object.values(kind).flatMap(({ id }) => id ?? []));
  const twice = ids.filter((id, index) => ids.indexOf(id) < index);
  const problems = twice.map((id) => `identity: the id ${id} is given twice.`);
  const missing = named.flatMap(([where, kind, name]) => {
    const known = kind === 'project' ? projects : users;
    if (Object.hasOwn(known, name)) return [];
    const near = nearest(name, Object.keys(known));
    return [`${where}: there is no ${kind} ${name}${near === undefined ? '.' : `; did you mean ${near}?`}`];
  });
  return [...problems, ...missing];
}

function isRegExp(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

/** What one finds in its pool it takes for its own. */
function sharedPools({ enabled_backends: names, backends }: Config): string[] {
  const pools = new Map<string, string>();
  return names.flatMap((name) => {
    const backend = backends[name];
    if (backend?.driver !== 'rbd') return [];
    const pool = `${backend.rbd_pool} of ${backend.rbd_ceph_conf}`;
    const other = pools.get(pool);
    pools.set(pool, name);
    return other === undefined ? [] : [`backends.${name}.rbd_pool: ${pool} is that of backends.${other}.`];
  });
}

/** Where a tgtd of the backend's own listens, `address:port`; undefined when it has none. */
function ownPortalOf(backend: BackendConfig): string | undefined {
  switch (backend.driver) {
    case 'file':
    case 'lvm': {
      const { target_protocol, target_daemon, target_ip_address, target_port } = backend;
      return target_protocol === 'iscsi' && target_daemon === 'own' ? `${target_ip_address}:${target_port}` : undefined;
    }
    case 'rbd':
      return undefined;
    default:
      return unhandled(backend);
  }
}
