/** `capabilities/{host}`: the features of a backend, or of one of its pools, that a volume type may ask for. */

import { VOLUME_BINARY } from '../../db/pools.ts';
import { findService } from '../../db/services.ts';
import { hostOf, type PoolStats, poolOf } from '../../model/backend.ts';
import { ServiceNotFound, ServiceUnavailable } from '../../model/errors.ts';
import { route } from '../route.ts';

export const capabilities = [
  route({
    method: 'GET',
    path: '/capabilities/:host',
    policy: 'volume_extension:capabilities',
    async handle({ desk: { db }, params: { host: name } }) {
      const host = hostOf(name);
      const pool = poolOf(name);
      const service = await findService(db.read, host, VOLUME_BINARY);
      if (service === undefined) throw new ServiceNotFound(`Host ${host} serves no volumes.`);
      const stats = pool === undefined ? service.pools[0] : service.pools.find((each) => each.pool_name === pool);
      if (stats === undefined && pool !== undefined) throw new ServiceNotFound(`Host ${host} has no pool ${pool}.`);
      if (stats === undefined) throw new ServiceUnavailable(`Host ${host} has not told yet what it can do.`);
      return {
        namespace: `OS::Storage::Capabilities::${name}`,
        vendor_name: text(stats.vendor_name),
        volume_backend_name: text(stats.volume_backend_name),
        pool_name: pool ?? null,
        driver_version: text(stats.driver_version),
        storage_protocol: text(stats.storage_protocol),
        display_name: text(stats.display_name),
        description: text(stats.description),
        visibility: 'public',
        replication_targets: [],
        properties: properties(stats),
      };
    },
  }),
];

const text = (capability: unknown): string | null => (typeof capability === 'string' ? capability : null);

/** What the pool reports of itself and an extra spec may ask for. */
const PROPERTIES = {
  thin_provisioning_support: {
    title: 'Thin provisioning',
    description: 'Volumes take the room that is written to.',
  },
  thick_provisioning_support: {
    title: 'Thick provisioning',
    description: 'Volumes take all their room at once.',
  },
  multiattach: { title: 'Multiattach', description: 'A volume may be attached to several servers.' },
  online_extend_support: { title: 'Online extend', description: 'A volume grows while it is attached.' },
} as const;

const properties = (stats: PoolStats): object =>
  Object.fromEntries(
    Object.entries(PROPERTIES)
      .filter(([name]) => typeof stats[name] === 'boolean')
      .map(([name, words]) => [name, { ...words, type: 'boolean', default: stats[name] }]),
  );
