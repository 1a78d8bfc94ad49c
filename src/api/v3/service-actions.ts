/** `os-services` beside its list and the switch: freezing a backend, failing over to another, the level of the log. */

import { setFrozen } from '../../commands/hosts/freeze-host.ts';
import { getLog, LOGGER, setLog, type WantedLogs } from '../../commands/hosts/log-levels.ts';
import { VOLUME_BINARY } from '../../db/pools.ts';
import { findService } from '../../db/services.ts';
import { Type } from '../../lib/schema.ts';
import { ClusterNotFound, InvalidInput, ServiceNotFound } from '../../model/errors.ts';
import { LOG_LEVELS, type LogLevel } from '../../model/log-level.ts';
import { CLOSED, Maybe, Text255 } from '../body.ts';
import { LOG_LEVEL_CALLS, REPLICATED_CLUSTERS } from '../microversion.ts';
import { type ApiCall, route } from '../route.ts';

const Host = Type.String({ minLength: 1, maxLength: 255 });
const HostBody = Type.Object({ host: Host }, CLOSED);
const FailoverHostBody = Type.Object({ host: Host, backend_id: Maybe(Text255) }, CLOSED);
const FailoverBody = Type.Object({ host: Maybe(Text255), cluster: Maybe(Text255), backend_id: Maybe(Text255) }, CLOSED);

/** Nothing, or a star, is any. */
const BINARIES = ['', '*', 'cinder-api', 'cinder-volume', 'cinder-scheduler', 'cinder-backup'] as const;
const WANTED = { binary: Maybe(Type.Enum([...BINARIES])), server: Maybe(Text255), prefix: Maybe(Text255) } as const;
const GetLogBody = Type.Object(WANTED, CLOSED);
const SetLogBody = Type.Object({ ...WANTED, level: Maybe(Text255) }, CLOSED);

const put = (verb: string) => ({ method: 'PUT', path: `/os-services/${verb}` }) as const;

export const serviceActions = [
  route({
    ...put('freeze'),
    policy: 'volume:freeze_host',
    body: HostBody,
    async handle({ desk, body }) {
      await setFrozen(desk, body.host, true);
      return undefined;
    },
  }),

  route({
    ...put('thaw'),
    policy: 'volume:thaw_host',
    body: HostBody,
    async handle({ desk, body }) {
      await setFrozen(desk, body.host, false);
      return undefined;
    },
  }),

  route({
    ...put('failover_host'),
    policy: 'volume:failover_host',
    status: 202,
    body: FailoverHostBody,
    handle: ({ desk, body }) => refuseFailover(desk, body.host),
  }),

  route({
    ...put('failover'),
    since: REPLICATED_CLUSTERS,
    policy: 'volume:failover_host',
    status: 202,
    body: FailoverBody,
    async handle({ desk, body: { host, cluster } }) {
      if (host && cluster) throw new InvalidInput('A host and a cluster cannot both be named.');
      if (cluster) throw new ClusterNotFound(`Cluster ${cluster} could not be found.`);
      if (!host) throw new InvalidInput('A host or a cluster must be named.');
      return refuseFailover(desk, host);
    },
  }),

  route({
    ...put('set-log'),
    since: LOG_LEVEL_CALLS,
    policy: 'volume_extension:services:update',
    status: 202,
    body: SetLogBody,
    async handle({ desk, body: { level, ...wanted } }) {
      await setLog(desk, wantedLogs(wanted), levelIn(level ?? ''));
      return undefined;
    },
  }),

  route({
    ...put('get-log'),
    since: LOG_LEVEL_CALLS,
    policy: 'volume_extension:services:update',
    body: GetLogBody,
    async handle({ desk, body }) {
      const { services, level } = await getLog(desk, wantedLogs(body));
      const levels = level === null ? {} : { [LOGGER]: level };
      return { log_levels: services.map(({ binary, host }) => ({ binary, host, levels })) };
    },
  }),
];

/** No backend here replicates, so there is nowhere to go. */
async function refuseFailover({ db }: ApiCall['desk'], host: string): Promise<never> {
  if ((await findService(db.read, host, VOLUME_BINARY)) === undefined)
    throw new ServiceNotFound(`Host ${host} serves no volumes.`);
  throw new InvalidInput(`Host ${host} cannot fail over: its replication status is disabled.`);
}

type Given = { readonly [name in keyof WantedLogs]?: string | null };

const wantedLogs = ({ binary, server, prefix }: Given): WantedLogs => ({
  binary: binary === '*' ? null : binary || null,
  server: server || null,
  prefix: prefix || null,
});

function levelIn(text: string): LogLevel {
  const level = LOG_LEVELS.find((each) => each === text.trim().toUpperCase());
  if (level === undefined) throw new InvalidInput(`The level of a log is one of ${LOG_LEVELS.join(', ')}.`);
  return level;
}
