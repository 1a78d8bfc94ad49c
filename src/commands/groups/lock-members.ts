/** The volumes of a group, whose row is locked, inside a transaction that reads them to change them. */
import { membersOf } from '../../db/groups.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { lockVolumeRow } from '../../db/volumes.ts';
import type { Volume } from '../../model/volume.ts';

/** In one order, so that two transactions do not wait for each other crosswise. */
export async function lockMembers(tx: Tx, groupId: string): Promise<readonly Volume[]> {
  const ids = (await membersOf(tx.db, [groupId])).get(groupId) ?? [];
  const members: Volume[] = [];
  for (const id of [...ids].sort()) {
    const volume = await lockVolumeRow(tx, id);
    if (volume?.groupId === groupId) members.push(volume);
  }
  return members;
}
