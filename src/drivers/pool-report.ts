/** The report of a thin pool: what every kind of backend says of one in the same words. */
import { GIB } from '../lib/bytes.ts';
import type { PoolStats } from '../model/backend.ts';
import type { DriverCapabilities } from './driver.ts';

export interface ThinPool {
  readonly poolName: string;
  /** What volume types call the backend. */
  readonly backendName: string;
  readonly capabilities: DriverCapabilities;
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** Default 0. */
  readonly reservedPercentage: number | undefined;
  /** Default 20. */
  readonly maxOverSubscriptionRatio: number | 'auto' | undefined;
}

export const poolReport = ({ capabilities, ...pool }: ThinPool): PoolStats => ({
  pool_name: pool.poolName,
  volume_backend_name: pool.backendName,
  vendor_name: capabilities.vendorName,
  driver_version: capabilities.driverVersion,
  storage_protocol: capabilities.storageProtocol,
  total_capacity_gb: roundedGiB(pool.totalBytes),
  free_capacity_gb: roundedGiB(pool.freeBytes),
  reserved_percentage: pool.reservedPercentage ?? 0,
  max_over_subscription_ratio: pool.maxOverSubscriptionRatio ?? 20,
  thin_provisioning_support: true,
  thick_provisioning_support: false,
  multiattach: true,
  online_extend_support: true,
  consistent_group_snapshot_enabled: capabilities.consistentGroupSnapshot,
});

/** Two places, never more than there is. */
export const roundedGiB = (bytes: number): number => Math.floor((bytes / GIB) * 100) / 100;
