/** The group that a new volume is made for: it takes such volumes now, and is on the backend of the volume's source. */
import type { Tx } from '../../db/sql/tx.ts';
import { hostOf } from '../../model/backend.ts';
import type { Caller } from '../../model/caller.ts';
import { GroupNotFound, InvalidGroup, InvalidInput } from '../../model/errors.ts';
import type { Group } from '../../model/group.ts';
import type { VolumeType } from '../../model/volume-type.ts';
import { checkGroupStatus } from '../by-status.ts';
import { lockGroup } from '../lock.ts';
import type { Source } from '../volumes/volume-source.ts';

/** A group with a backend. Rejects with `GroupNotFound`, `InvalidGroup`. */
export type Placed = Group & { readonly host: string };

export async function groupOfVolume(tx: Tx, caller: Caller, id: string): Promise<Placed> {
  const group = await lockGroup(tx, caller, id);
  // The volume is the caller's: in a group of another project it would be where its owner cannot see it.
  if (group.projectId !== caller.projectId) throw new GroupNotFound(id);
  checkGroupStatus(group, 'add_volume');
  const { host } = group;
  if (host === null) throw new InvalidGroup(`Group ${id} is on no backend.`);
  return { ...group, host };
}

/** Throws `InvalidInput`. */
export function checkFits(group: Placed, type: VolumeType, source: Source): void {
  if (!group.volumeTypeIds.includes(type.id))
    throw new InvalidInput(`Group ${group.id} takes no volumes of type ${type.name}.`);
  if (!('origin' in source) || source.origin.host === null) return;
  if (hostOf(source.origin.host) !== hostOf(group.host))
    throw new InvalidInput(`Group ${group.id} is not on the backend of what the volume is made from.`);
}
