/** The ids in the names of volumes and snapshots on their backends, and whose they are. */
import type { Queries } from './sql/db.ts';

/** By the id in its name: the id of the volume or snapshot. Those of volumes differ after a migration. */
export async function idsByNameId(db: Queries): Promise<ReadonlyMap<string, string>> {
  const volumes = await db.selectFrom('volume').select(['id', 'name_id']).execute();
  const snapshots = await db.selectFrom('snapshot').select('id').execute();
  return new Map([
    ...volumes.map(({ id, name_id }) => [name_id ?? id, id] as const),
    ...snapshots.map(({ id }) => [id, id] as const),
  ]);
}
