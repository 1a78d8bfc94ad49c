/** The service that is measured: its configuration, who asks it, and how it is asked. */
import type { Config } from '../src/lib/config.ts';
import { parseConfig } from '../src/lib/read-config.ts';

export const PROJECT = '0123456789abcdef0123456789abcdef';
export const USER = 'fedcba9876543210fedcba9876543210';
export const HOST = 'bench@file';

/** What a client sends with each request. */
export const HEADERS = {
  'x-auth-token': `${USER}:${PROJECT}`,
  'openstack-api-version': 'volume 3.66',
} as const;

/** As it comes, but with room for many volumes, on a free port, and without heartbeats among what is counted. */
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

export const configOf = (database: string, directory: string): Config =>
  parseConfig({ toml: configToml(database, directory) });

export const path = (rest: string): string => `/v3/${PROJECT}${rest}`;
