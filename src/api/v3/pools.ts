/** `scheduler-stats/get_pools`: the pools and their statistics, as the scheduler sees them. */
import { typeFor } from '../../commands/volumes/volume-choices.ts';
import { listPools } from '../../db/pools.ts';
import type { Pool } from '../../model/backend.ts';
import { satisfies } from '../../scheduler/extra-specs.ts';
import { sift } from '../../scheduler/schedule.ts';
import { BACKEND_STATE, type Microversion, OLDEST, POOL_FILTERS, POOLS_BY_TYPE } from '../microversion.ts';
import { queryBoolean } from '../query.ts';
import { type ApiCall, route } from '../route.ts';
import { Fields } from '../view.ts';

export const pools = [
  route({
    method: 'GET',
    path: '/scheduler-stats/get_pools',
    policy: 'scheduler_extension:scheduler_stats:get_pools',
    async handle(call) {
      const { desk, query, version } = call;
      const detail = queryBoolean(query, 'detail');
      const all = await listPools(desk.db.read, desk.tools.serviceDownSeconds);
      const up = all.filter((pool) => pool.up);
      const wanted = version >= POOL_FILTERS ? await filtered(call, up) : up;
      return {
        pools: wanted.map((pool) => ({
          name: pool.name,
          ...(detail && { capabilities: capabilities(pool, version) }),
        })),
      };
    },
  }),
];

/** By name, by what a volume type asks for, or by any capability. */
async function filtered({ desk, caller, query, version }: ApiCall, up: readonly Pool[]): Promise<readonly Pool[]> {
  const name = query.get('name');
  const requested = version >= POOLS_BY_TYPE ? query.get('volume_type') : undefined;
  const others = [...query].filter(([key]) => !['name', 'volume_type', 'detail'].includes(key));
  const named = up.filter((pool) => {
    if (name !== undefined && pool.name !== name) return false;
    const reported = capabilities(pool, version);
    return others.every(([key, value]) => Object.hasOwn(reported, key) && satisfies(reported[key], value));
  });
  if (requested === undefined) return named;
  const volumeType = await typeFor(desk.db.read, caller, requested, desk.config);
  return sift(named, { sizeGiB: 0, volumeType }, desk.tools.scheduler).passed;
}

/** What the service adds to what a backend says of its pool. */
const COUNTED = new Fields<Pool, undefined>([
  [OLDEST, 'allocated_capacity_gb', ({ allocatedGiB }) => allocatedGiB],
  [OLDEST, 'provisioned_capacity_gb', ({ provisionedGiB }) => provisionedGiB],
  [OLDEST, 'total_volumes', ({ volumes }) => volumes],
  [OLDEST, 'timestamp', ({ reportedAt }) => reportedAt],
  // Pools of backends that are down are not shown.
  [BACKEND_STATE, 'backend_state', () => 'up'],
]);

function capabilities(pool: Pool, version: Microversion): Readonly<Record<string, unknown>> {
  return { ...pool.stats, ...COUNTED.show(pool, undefined, version) };
}
