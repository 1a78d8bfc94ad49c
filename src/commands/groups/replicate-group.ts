/** The replication of a group: refused in the words of a backend without it, which all backends here are. */
import type { Caller } from '../../model/caller.ts';
import { InvalidGroupType } from '../../model/errors.ts';
import type { Desk } from '../desk.ts';
import { genericGroupFor } from './consistency-groups.ts';

export async function refuseReplication({ db }: Pick<Desk, 'db'>, caller: Caller, id: string): Promise<never> {
  const group = await genericGroupFor(db.read, caller, id);
  throw new InvalidGroupType(`Group ${group.id} is not of a type that is replicated, and no backend here replicates.`);
}
