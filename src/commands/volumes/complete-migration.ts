/**
 * `os-migrate_volume_completion`: a compute service has given a server another volume in place of this one. Asks which of the two is
 * kept, and is told the new one; nothing is changed. A migration of ours is completed by its own flow, and by nobody else.
 */
import type { Caller } from '../../model/caller.ts';
import { InvalidVolume } from '../../model/errors.ts';
import type { Desk } from '../desk.ts';
import { volumeFor } from '../find.ts';
import { isMigrating } from './migrating.ts';

/** Resolves with the id of the volume that is kept. */
export async function completeMigration({ db }: Desk, caller: Caller, id: string, newId: string): Promise<string> {
  for (const volume of [await volumeFor(db.read, caller, id), await volumeFor(db.read, caller, newId)])
    if (isMigrating(volume))
      throw new InvalidVolume(`Volume ${volume.id} is being migrated, which is completed by the service itself.`);
  return newId;
}
