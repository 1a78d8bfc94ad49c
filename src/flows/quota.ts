/**
 * Counting against a project's quota, with its limits looked up and its refusals in Cinder's words: each begins with the
 * name users search for and holds "exceeded", which clients look for.
 */

import { quotaLimits } from '../db/quota-limits.ts';
import { type Amounts, QuotaExceeded, reserveQuota, type Shortage, takeQuota } from '../db/quotas.ts';
import type { Tx } from '../db/sql/tx.ts';
import type { QuotaConfig } from '../lib/config/config.ts';
import {
  BackupLimitExceeded,
  GroupLimitExceeded,
  type PumiceError,
  SnapshotLimitExceeded,
  VolumeBackupSizeExceedsAvailableQuota,
  VolumeLimitExceeded,
  VolumeSizeExceedsAvailableQuota,
  VolumeSizeExceedsLimit,
} from '../model/errors.ts';

/** Counts now, with the row it is for. Rejects with the error of the resource that ran out. */
export async function take(tx: Tx, projectId: string, deltas: Amounts, config: QuotaConfig): Promise<void> {
  const limits = await quotaLimits(tx.db, projectId, Object.keys(deltas), configuredLimits(config));
  await takeQuota(tx, projectId, deltas, limits).catch(refuse);
}

/** Promises to the flow, which commits or rolls back. Rejects with the error of the resource that ran out. */
export async function reserve(
  tx: Tx,
  flowId: string,
  projectId: string,
  deltas: Amounts,
  config: QuotaConfig,
): Promise<void> {
  const limits = await quotaLimits(tx.db, projectId, Object.keys(deltas), configuredLimits(config));
  await reserveQuota(tx, flowId, projectId, deltas, limits).catch(refuse);
}

/** Rejects with `VolumeSizeExceedsLimit` when one volume of the project may not be as large. */
export async function checkVolumeSize(
  { db }: Tx,
  projectId: string,
  sizeGiB: number,
  config: QuotaConfig,
): Promise<void> {
  const limits = await quotaLimits(db, projectId, ['per_volume_gigabytes'], configuredLimits(config));
  const limit = limits.per_volume_gigabytes ?? -1;
  if (limit >= 0 && sizeGiB > limit)
    throw new VolumeSizeExceedsLimit(
      `VolumeSizeExceedsLimit: the size of ${sizeGiB}G has exceeded the limit of ${limit}G for one volume.`,
    );
}

/** The limits of a project that has none of its own. */
export function configuredLimits(config: QuotaConfig): Amounts {
  return {
    volumes: config.quota_volumes,
    snapshots: config.quota_snapshots,
    gigabytes: config.quota_gigabytes,
    backups: config.quota_backups,
    backup_gigabytes: config.quota_backup_gigabytes,
    groups: config.quota_groups,
    per_volume_gigabytes: config.per_volume_size_limit,
  };
}

function refuse(error: unknown): never {
  throw error instanceof QuotaExceeded ? overLimit(error) : error;
}

function overLimit(error: QuotaExceeded): PumiceError {
  const of = (kind: string): Shortage | undefined =>
    error.shortages.find(({ resource }) => resource === kind || resource.startsWith(`${kind}_`));
  const options = { cause: error };
  const gigabytes = of('gigabytes');
  if (gigabytes) {
    const { requested, limit, inUse, reserved } = gigabytes;
    const used = inUse + reserved;
    return new VolumeSizeExceedsAvailableQuota(
      `VolumeSizeExceedsAvailableQuota: the request for ${requested}G was refused: it would have exceeded ${gigabytes.resource}, of which ${used}G of ${limit}G are used.`,
      options,
    );
  }
  const backupGiB = of('backup_gigabytes');
  if (backupGiB) {
    const { requested, limit, inUse, reserved } = backupGiB;
    return new VolumeBackupSizeExceedsAvailableQuota(
      `VolumeBackupSizeExceedsAvailableQuota: the request for ${requested}G was refused: it would have exceeded backup_gigabytes, of which ${inUse + reserved}G of ${limit}G are used.`,
      options,
    );
  }
  const backups = of('backups');
  if (backups)
    return new BackupLimitExceeded(`BackupLimitExceeded: the limit of ${backups.limit} backups is exceeded.`, options);
  const snapshots = of('snapshots');
  if (snapshots)
    return new SnapshotLimitExceeded(
      `SnapshotLimitExceeded: the limit of ${snapshots.limit} snapshots is exceeded for quota '${snapshots.resource}'.`,
      options,
    );
  const groups = of('groups');
  if (groups)
    return new GroupLimitExceeded(`GroupLimitExceeded: the limit of ${groups.limit} groups is exceeded.`, options);
  const [{ limit, resource }] = error.shortages;
  return new VolumeLimitExceeded(
    `VolumeLimitExceeded: the limit of ${limit} volumes is exceeded for quota '${resource}'.`,
    options,
  );
}
