/** The pools as the scheduler sees them: the last report of their services, and the usage by our own rows. */
import { fromNow } from '../lib/clock.ts';
import type { Pool } from '../model/backend.ts';
import { listPoolUsage } from './pool-usage.ts';
import { isUsable, listServices } from './services.ts';
import type { Db } from './sql/db.ts';

export const VOLUME_BINARY = 'cinder-volume';

/** Pools of services that are down, disabled or failed are in the list, not `up`. */
export async function listPools(db: Db, serviceDownSeconds: number): Promise<Pool[]> {
  const services = await listServices(db, { binary: VOLUME_BINARY });
  const usage = new Map((await listPoolUsage(db)).map((each) => [each.pool, each]));
  const alive = fromNow(-serviceDownSeconds * 1000);
  return services.flatMap((service) =>
    service.pools.map((stats): Pool => {
      const name = `${service.host}#${stats.pool_name}`;
      const given = usage.get(name);
      return {
        name,
        availabilityZone: service.availabilityZone,
        up: !service.disabled && !service.frozen && isUsable(service, alive),
        stats,
        allocatedGiB: given?.allocatedGiB ?? 0,
        provisionedGiB: given?.provisionedGiB ?? 0,
        volumes: given?.volumes ?? 0,
        reportedAt: service.updatedAt,
      };
    }),
  );
}
