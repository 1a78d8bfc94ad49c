/** The service that is measured: its configuration, who asks it, and how it is asked. */
import type { Config } from '../src/lib/config/config.ts';
import { parseConfig } from '../src/lib/config/read-config.ts';

export const PROJECT = '0123456789abcdef0123456789abcdef';
export const USER = 'fedcba9876543210fedcba9876543210';
export const HOST = 'bench@file';
/** Of a client on the same machine. */
export const CONNECTOR = {
  host: 'bench',
  ip: '127.0.0.1',
  initiator: 'iqn.2026-01.example:bench',
  mountpoint: '/dev/vdb',
};

export type Headers = Readonly<Record<string, string>>;

/** What a client sends with each request. */
export const HEADERS = {
  'x-auth-token': `${USER}:${PROJECT}`,
  'openstack-api-version': 'volume 3.66',
} as const;

/** As it comes, but with room for many volumes, on a free port, and without heartbeats among what is counted. Other builds read it, too. */
export const configToml = (database: string, directory: string): string => `
data_directory = ${JSON.stringify(directory)}
node_name = "bench"
api.port = 0
database.url = ${JSON.stringify(database)}
quota.quota_volumes = -1
quota.quota_gigabytes = -1
services.report_interval = 3600
services.service_down_time = 7200
services.backend_stats_polling_interval = 3600
log.level = "warn"

[backends.file]
driver = "file"
path = "$data_directory/volumes"
create = true
max_over_subscription_ratio = 100000
`;

/** The same user and project, who must show a token. The hash is cheap: signing in is not measured. */
const IDENTITY = [
  'api.auth_strategy=local',
  `identity.projects.bench.id=${PROJECT}`,
  `identity.users.bench.id=${USER}`,
  'identity.users.bench.password_hash=scrypt:10:8:1:4J32k7pa8lfKnpIukqkv5A:qlDvMeiQ8X8o-JgHhbLDO-HxFH3GvhJtoBshRQQTbEE',
  'identity.users.bench.roles.bench=admin',
];

/** `metrics`: as `noauth`, with metrics at this port. */
export type Identity = 'noauth' | 'local' | `metrics:${number}`;

/** With two copies more at once. */
export const configOf = (
  database: string,
  directory: string,
  identity: Identity,
  more: readonly string[] = [],
): Config =>
  parseConfig({
    toml: configToml(database, directory),
    set: ['max_copies=4', ...(identity === 'local' ? IDENTITY : []), ...metricsOf(identity), ...more],
  });

function metricsOf(identity: Identity): string[] {
  const [kind, port] = identity.split(':');
  return kind === 'metrics' ? ['metrics.enabled=true', `metrics.port=${port}`] : [];
}

/** What a client sends with each request where it must be somebody. */
export async function signedIn(address: string): Promise<Headers> {
  const user = { id: USER, password: 'bench' };
  const answer = await fetch(`${address}/identity/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: { identity: { methods: ['password'], password: { user } }, scope: { project: { id: PROJECT } } },
    }),
  });
  const token = answer.headers.get('x-subject-token');
  if (token === null) throw new Error(`Signing in was answered ${answer.status}: ${await answer.text()}`);
  return { ...HEADERS, 'x-auth-token': token };
}

export const path = (rest: string): string => `/v3/${PROJECT}${rest}`;
