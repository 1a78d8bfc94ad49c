/** Check: the usage of a pool that the scheduler reckons with is the sum of the volumes on it. */
import { countPoolUsage, listPoolUsage, type PoolUsage, recountPoolUsage } from '../../db/pool-usage.ts';
import { alone, type DoctorCheck, type Patient } from './check.ts';

export const pools: DoctorCheck = {
  name: 'pools',
  wellSaid: 'the usage of pools equals a recount of the volumes',
  examine: async ({ db }: Patient) => {
    const kept = byPool(await listPoolUsage(db.read));
    const counted = byPool(await countPoolUsage(db.read));
    return [...new Set([...kept.keys(), ...counted.keys()])].sort().flatMap((pool) => {
      const [was, is] = [numbers(kept.get(pool)), numbers(counted.get(pool))];
      const drift = was.map((each, index) => each - (is[index] ?? 0));
      if (drift.every((each) => each === 0)) return [];
      return {
        key: `${pool} ${drift.join(' ')}`,
        about: pool,
        says: `kept are ${shown(was)}, counted ${shown(is)}`,
        remedy: {
          says: 'usage is counted again',
          apply: async (tx) => {
            await alone(tx, 'pool_usage');
            await recountPoolUsage(tx);
            return true;
          },
        },
      };
    });
  },
};

const byPool = (usage: readonly PoolUsage[]) => new Map(usage.map((each) => [each.pool, each]));

const numbers = (usage: PoolUsage | undefined): readonly number[] =>
  usage === undefined ? [0, 0, 0] : [usage.volumes, usage.allocatedGiB, usage.provisionedGiB];

const shown = ([volumes, allocated, provisioned]: readonly number[]): string =>
  `${volumes} volumes, ${allocated} GiB allocated, ${provisioned} GiB provisioned`;
