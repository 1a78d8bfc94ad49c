/**
 * What a retype moves from one volume type's quota to another's: the volume and its snapshots. A project's totals stay as they are.
 */
import type { Tx } from '../../db/sql/tx.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { negated, type QuotaDeltas, snapshotQuota, sum, volumeQuota } from '../../model/quota.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { Volume } from '../../model/volume.ts';
import type { VolumeType } from '../../model/volume-type.ts';

/** By project: snapshots stay with the project that gave their volume away. `countsGiB` as of `snapshotQuota`. */
export async function retypeQuota(
  { db }: Tx,
  {
    volume,
    snapshots,
    type,
  }: { readonly volume: Volume; readonly snapshots: readonly Snapshot[]; readonly type: VolumeType },
  countsGiB: boolean,
): Promise<ReadonlyMap<string, QuotaDeltas>> {
  const moved = new Map<string, QuotaDeltas>();
  const move = async (
    { projectId, volumeTypeId, usesQuota }: Volume | Snapshot,
    quotaOf: (type: string) => QuotaDeltas,
  ): Promise<void> => {
    if (!usesQuota) return;
    const { name } = await getVolumeType(db, volumeTypeId);
    moved.set(projectId, sum([moved.get(projectId) ?? {}, quotaOf(type.name), negated(quotaOf(name))]));
  };
  await move(volume, (name) => volumeQuota(volume.sizeGiB, name));
  for (const snapshot of snapshots)
    await move(snapshot, (name) => snapshotQuota(snapshot.volumeSizeGiB, name, countsGiB));
  return moved;
}
