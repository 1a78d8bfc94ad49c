/** Services as they report themselves, without any process behind them. */
import { recordHeartbeat } from '../../src/db/services.ts';
import { fromNow } from '../../src/lib/clock.ts';
import type { PoolStats } from '../../src/model/backend.ts';
import type { World } from './world.ts';

export interface Beat {
  readonly host: string;
  readonly binary?: string;
  readonly zone?: string;
  readonly pools?: readonly PoolStats[];
  readonly failure?: string;
  /** Seconds since it was last heard of. */
  readonly silentFor?: number;
}

export async function beat({ service }: World, given: Beat): Promise<void> {
  const { host, binary = 'cinder-volume', zone: availabilityZone = 'nova', pools = [], failure = null } = given;
  await service.db.write(async (tx) => {
    await recordHeartbeat(tx, { host, binary, availabilityZone, pools, failure });
    if (given.silentFor === undefined) return;
    const updated_at = fromNow(-given.silentFor * 1000);
    await tx.db.updateTable('service').set({ updated_at }).where('host', '=', host).execute();
  });
}

export function pool(name: string, more: Readonly<Record<string, unknown>> = {}): PoolStats {
  return {
    pool_name: name,
    total_capacity_gb: 100,
    free_capacity_gb: 80,
    reserved_percentage: 0,
    max_over_subscription_ratio: 20,
    thin_provisioning_support: true,
    thick_provisioning_support: false,
    multiattach: true,
    ...more,
  };
}
