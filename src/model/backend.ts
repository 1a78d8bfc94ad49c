/**
 * Backends, pools and the names that join them.
 *
 * A *host* is `node@backend`, a *pool* is `node@backend#pool`. A volume's `host` column holds the pool's full name, as
 * Cinder's does; the lane of a flow is the host.
 */
import type { Timestamp } from '../lib/clock.ts';

/** GiB, or what a backend says when it does not know or has no end. */
export type CapacityGiB = number | 'infinite' | 'unknown';

/** What a driver reports about one pool. The keys are Cinder's, since extra specs and `get_pools` name them. */
export interface PoolStats {
  readonly pool_name: string;
  readonly total_capacity_gb: CapacityGiB;
  readonly free_capacity_gb: CapacityGiB;
  readonly reserved_percentage: number;
  /** `auto` or a ratio of at least 1. */
  readonly max_over_subscription_ratio: number | 'auto';
  readonly thin_provisioning_support: boolean;
  readonly thick_provisioning_support: boolean;
  readonly multiattach: boolean;
  readonly [capability: string]: unknown;
}

/** One pool as the scheduler sees it: the driver's report and what the database knows. */
export interface Pool {
  /** `node@backend#pool` */
  readonly name: string;
  readonly availabilityZone: string;
  /** False when its service is down or disabled, or its backend reported a failure. */
  readonly up: boolean;
  readonly stats: PoolStats;
  /** Sum of the sizes of the volumes on it, in GiB. */
  readonly allocatedGiB: number;
  /** Allocated plus what snapshots promise, in GiB. */
  readonly provisionedGiB: number;
  readonly volumes: number;
  readonly reportedAt: Timestamp;
}

/** `node@backend` of `node@backend#pool`. */
export function hostOf(pool: string): string {
  const hash = pool.indexOf('#');
  return hash < 0 ? pool : pool.slice(0, hash);
}

/** `node` of `node@backend#pool`: a machine, whose backends one process serves or several do, or what a backend says in its place. */
export function nodeOf(pool: string): string {
  return pool.split('@')[0] ?? '';
}

/** Whether its volumes can be read by other machines. */
export const isReachedFromElsewhere = ({ stats }: Pool): boolean =>
  stats.storage_protocol === 'iSCSI' || stats.storage_protocol === 'ceph';

/** The lane of a host's flows, and the name that whoever serves it holds: `host:node@backend`. */
export const laneOfHost = (host: string): string => `host:${host}`;

/** `backend` of `node@backend#pool`; undefined when the name has none. */
export function backendOf(pool: string): string | undefined {
  return hostOf(pool).split('@')[1];
}

/** `pool` of `node@backend#pool`; undefined when the name has none. */
export function poolOf(name: string): string | undefined {
  const hash = name.indexOf('#');
  return hash < 0 ? undefined : name.slice(hash + 1);
}
