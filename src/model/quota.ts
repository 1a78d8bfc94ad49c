/**
 * The resources of a quota, and how much of each a volume or a snapshot counts.
 *
 * Each resource has a twin for each volume type: `gigabytes_<type>`. A limit of -1 is none. A volume or snapshot counts
 * from the transaction that makes its row to the one that removes it, in error too.
 */

/** Resource → how much more (or less) of it. */
export type QuotaDeltas = Readonly<Record<string, number>>;

/** Of a volume of this type. */
export function volumeQuota(sizeGiB: number, type: string): QuotaDeltas {
  return { volumes: 1, [`volumes_${type}`]: 1, ...gigabytesQuota(sizeGiB, type) };
}

/** Of a snapshot; `countsGiB` is false where snapshots are exempt from gigabytes. */
export function snapshotQuota(sizeGiB: number, type: string, countsGiB: boolean): QuotaDeltas {
  return { snapshots: 1, [`snapshots_${type}`]: 1, ...(countsGiB ? gigabytesQuota(sizeGiB, type) : {}) };
}

export function gigabytesQuota(sizeGiB: number, type: string): QuotaDeltas {
  return { gigabytes: sizeGiB, [`gigabytes_${type}`]: sizeGiB };
}

/** Of a backup of a volume of this size, whatever it stores. */
export const backupQuota = (sizeGiB: number): QuotaDeltas => ({ backups: 1, backup_gigabytes: sizeGiB });

/** Of a group, whatever is in it. */
export const GROUP_QUOTA: QuotaDeltas = { groups: 1 };

/** All of them together. */
export function sum(all: readonly QuotaDeltas[]): QuotaDeltas {
  const total: Record<string, number> = {};
  for (const deltas of all)
    for (const [resource, delta] of Object.entries(deltas)) total[resource] = (total[resource] ?? 0) + delta;
  return total;
}

export function negated(deltas: QuotaDeltas): QuotaDeltas {
  return Object.fromEntries(Object.entries(deltas).map(([resource, delta]) => [resource, -delta]));
}
