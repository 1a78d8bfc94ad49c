/**
 * The backends as operators see them: their pools with what they have and what they have promised, whether they can be used, the copies that run
 * and wait there, and the upkeep that is in trouble. All of it is read from the database, whichever processes serve.
 */
import type { Database } from '../db/database.ts';
import { flowPage } from '../db/flow-page.ts';
import { listPools, VOLUME_BINARY } from '../db/pools.ts';
import { listServices, type Service } from '../db/services.ts';
import { type KeptTrouble, listTroubles } from '../db/troubles.ts';
import type { FlowRow } from '../engine/journal.ts';
import { fromNow, type Timestamp } from '../lib/clock.ts';
import { hostOf, laneOfHost, type Pool } from '../model/backend.ts';
import { amount, overSubscriptionRatio } from '../scheduler/capacity.ts';
import { rateOf } from './progress.ts';

export interface Backends {
  readonly backends: readonly BackendFacts[];
  readonly troubles: readonly KeptTrouble[];
}

export interface BackendFacts {
  /** `node@backend` */
  readonly host: string;
  readonly availability_zone: string;
  readonly state: 'up' | 'failed' | 'down' | 'disabled' | 'frozen';
  /** Why it is not up, as far as it is known. */
  readonly reason: string | null;
  readonly seen_at: Timestamp;
  readonly pools: readonly PoolFacts[];
  readonly copies: CopyFacts;
}

interface PoolFacts {
  readonly name: string;
  /** Null where the backend does not know, or has no end. */
  readonly total_gib: number | null;
  readonly free_gib: number | null;
  /** Of volumes. */
  readonly allocated_gib: number;
  /** Of volumes and snapshots: what would be needed if all were full. */
  readonly promised_gib: number;
  /** How much may be promised, of what there is. */
  readonly over_subscription_ratio: number;
  readonly volumes: number;
}

interface CopyFacts {
  readonly running: number;
  /** For their turn. */
  readonly waiting: number;
  /** Bytes a second of all that say so. */
  readonly rate: number;
}

/** More flows in flight are not looked at. */
const MOST = 1_000;

/** `downSeconds`: a service that was not seen for so long is down. */
export async function readBackends(db: Database, downSeconds: number): Promise<Backends> {
  const services = await listServices(db.read, { binary: VOLUME_BINARY });
  const pools = Map.groupBy(await listPools(db.read, downSeconds), ({ name }) => hostOf(name));
  const flows = Map.groupBy(await flowPage(db, { unended: true, limit: MOST }), ({ lane }) => lane);
  const alive = fromNow(-downSeconds * 1_000);
  return {
    backends: services.map((service) => ({
      host: service.host,
      availability_zone: service.availabilityZone,
      ...standing(service, alive),
      seen_at: service.updatedAt,
      pools: (pools.get(service.host) ?? []).map(poolFacts),
      copies: copiesOf(flows.get(laneOfHost(service.host)) ?? []),
    })),
    troubles: await listTroubles(db),
  };
}

function standing(
  { disabled, disabledReason, frozen, failure, updatedAt }: Service,
  alive: Timestamp,
): Pick<BackendFacts, 'state' | 'reason'> {
  if (updatedAt <= alive) return { state: 'down', reason: failure };
  if (failure !== null) return { state: 'failed', reason: failure };
  if (disabled) return { state: 'disabled', reason: disabledReason };
  return { state: frozen ? 'frozen' : 'up', reason: null };
}

const poolFacts = (pool: Pool): PoolFacts => ({
  name: pool.name,
  total_gib: amount(pool.stats.total_capacity_gb) ?? null,
  free_gib: amount(pool.stats.free_capacity_gb) ?? null,
  allocated_gib: pool.allocatedGiB,
  promised_gib: pool.provisionedGiB,
  over_subscription_ratio: overSubscriptionRatio(pool),
  volumes: pool.volumes,
});

function copiesOf(flows: readonly FlowRow[]): CopyFacts {
  const waiting = flows.filter(({ doing }) => doing?.waiting?.what === 'its turn').length;
  const copying = flows.flatMap(({ doing }) => (doing?.copying && !doing.waiting ? [doing.copying] : []));
  const rate = copying.reduce((sum, each) => sum + (rateOf(each) ?? 0), 0);
  return { running: copying.length, waiting, rate };
}
