/** `os-reset_status` of a volume: an administrator says what is true. Nothing is asked of a backend. */
import { getVolume, updateVolume } from '../db/volumes.ts';
import { tellVolume } from '../flows/tell.ts';
import type { Caller } from '../model/caller.ts';
import type { AttachStatus, VolumeStatus } from '../model/status.ts';
import type { Desk } from './desk.ts';
import { lockVolume } from './lock.ts';

export interface ResetVolumeStatus {
  readonly status?: VolumeStatus;
  readonly attachStatus?: AttachStatus;
  /** Null: it is not being migrated. */
  readonly migrationStatus?: string | null;
}

export async function resetVolumeStatus(
  { db }: Desk,
  caller: Caller,
  id: string,
  wish: ResetVolumeStatus,
): Promise<void> {
  await db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    await tellVolume(tx, 'reset_status.start', volume, caller.requestId);
    await updateVolume(tx, id, wish);
    await tellVolume(tx, 'reset_status.end', await getVolume(tx.db, id), caller.requestId);
  });
}
