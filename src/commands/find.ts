/** A caller's own, or anybody's for an administrator. What a caller may not know of is not found. */
import type { Kysely } from 'kysely';
import type { Tables } from '../db/schema.ts';
import { getSnapshot } from '../db/snapshots.ts';
import { getVolume } from '../db/volumes.ts';
import type { Caller } from '../model/caller.ts';
import { SnapshotNotFound, VolumeNotFound } from '../model/errors.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Volume } from '../model/volume.ts';

export async function volumeFor(db: Kysely<Tables>, caller: Caller, id: string): Promise<Volume> {
  const volume = await getVolume(db, id);
  if (!caller.isAdmin && volume.projectId !== caller.projectId) throw new VolumeNotFound(id);
  return volume;
}

export async function snapshotFor(db: Kysely<Tables>, caller: Caller, id: string): Promise<Snapshot> {
  const snapshot = await getSnapshot(db, id);
  if (!caller.isAdmin && snapshot.projectId !== caller.projectId) throw new SnapshotNotFound(id);
  return snapshot;
}
